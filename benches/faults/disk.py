"""Take the disk away from the service in several ways and look what it says, what is lost, and whether it goes on.

    disk.py BINARY [full readonly clock twice]      all four

Needs root for the file systems that it mounts, Debian's libfaketime for `clock`, and PORTOLAN_MODELS and ORT_DYLIB_PATH
as `make test` sets them.

full      the data folder's file system has no room while a folder is indexed and while documents are sent
readonly  the data folder's file system is mounted anew for reading only, before a command
clock     the system's clock jumps ten years ahead and twenty back while the service runs, and while it does not
twice     a second service and a second command on one data folder

After each: everything that was acknowledged before is found; the error says what is wrong and what mends it; once that
is done, the same command does what it could not. Prints what was said and a line a fault; exit code 1 after a fault.
"""

import contextlib
import glob
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

MENDS = {
    "full": ["free some space", "the disk is full"],
    "readonly": ["--data", "write"],
    "twice": ["--data", "stop"],
}
WORDS = "harbour sounder beacon tide mooring fathom chart buoy anchor current salinity sensor gauge hull ballast".split()


class Trial:
    def __init__(self, binary, kind):
        self.binary, self.kind, self.faults = binary, kind, 0
        self.work = tempfile.mkdtemp(prefix=f"portolan-{kind}-")
        self.data = os.path.join(self.work, "data")
        os.makedirs(self.data)

    def fault(self, text):
        self.faults += 1
        print(f"FAULT {self.kind}: {text}", flush=True)

    def said(self, when, text):
        print(f"{self.kind}: {when}: {text.strip()[-400:]}", flush=True)

    def mount(self, options):
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.data], check=True)

    def remount(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", self.data], check=True)

    def folder(self, name, count, words=60):
        """A folder of documents, each with a word of its own."""
        folder = os.path.join(self.work, name)
        os.makedirs(folder, exist_ok=True)
        for at in range(count):
            body = " ".join(WORDS[(at * 7 + word * word) % len(WORDS)] for word in range(words))
            with open(os.path.join(folder, f"{name}{at}.md"), "w") as file:
                file.write(f"# {name}{at}word\n\n{body}.\n")
        return folder

    def run(self, *arguments, environment=None):
        command = [self.binary, *arguments, "--data", self.data]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=300, env={**os.environ, **(environment or {})}
        )

    def wants(self, done, when):
        """A command that must do."""
        if done.returncode != 0:
            self.fault(f"{when}: exit {done.returncode}: {(done.stderr or done.stdout).strip()[-400:]}")

    def refuses(self, done, when):
        """A command that must fail with the mend."""
        self.said(when, done.stderr or done.stdout)
        if done.returncode != 1:
            self.fault(f"{when}: exit {done.returncode}, not 1")
        self.mends(done.stderr, when)

    def mends(self, words, when):
        if not any(mend in words for mend in MENDS[self.kind]):
            self.fault(f"{when}: the words name no mend: {words.strip()[-400:]}")
        if "panicked" in words or "RUST_BACKTRACE" in words:
            self.fault(f"{when}: a panic: {words.strip()[-400:]}")

    def finds(self, name, count, when):
        """Every document of a folder is found by its own word."""
        for at in range(count):
            word = f"{name}{at}word"
            done = self.run("search", word, "--mode", "lexical", "--limit", "1", "--json")
            uris = [one["uri"] for one in json.loads(done.stdout)["results"]] if done.returncode == 0 else []
            if uris != [f"{name}{at}.md"]:
                self.fault(f"{when}: `{word}` finds {uris or done.stderr.strip()[-300:]}")
                return

    @contextlib.contextmanager
    def service(self, environment=None):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [self.binary, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}"]
        with open(os.path.join(self.work, "log"), "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(environment or {})})
        try:
            deadline = time.monotonic() + 60
            while True:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5)
                    break
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the service did not start; its log is in {self.work}/log")
                time.sleep(0.05)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, {"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def put(self, name, at):
        """Sends a document; the job's end, or the problem."""
        text = f"# {name}{at}word\n\nThe {WORDS[at % len(WORDS)]} of the harbour."
        status, told = self.ask("/v1/documents", {"uri": f"{name}{at}.md", "text": text})
        if status >= 400:
            return "refused", json.dumps(told)
        for _ in range(600):
            _, job = self.ask(f"/v1/jobs/{told['job']}")
            if job["state"] not in ("queued", "running"):
                return job["state"], json.dumps(job)
            time.sleep(0.05)
        return "stuck", json.dumps(job)


def full(trial):
    first, second = trial.folder("first", 5), trial.folder("second", 12, 3_000)
    trial.mount("size=400m")
    trial.wants(trial.run("index", first), "the first folder")
    ballast = os.path.join(trial.data, "ballast")

    def fill(left):
        room = os.statvfs(trial.data)
        with open(ballast, "wb") as file:
            file.write(b"\0" * max(0, room.f_bavail * room.f_frsize - left))

    for left in (0, 128 << 10):
        fill(left)
        trial.refuses(trial.run("index", second), f"indexing with {left >> 10} KB left")
        os.remove(ballast)
        trial.finds("first", 5, f"after {left >> 10} KB were left")
    trial.wants(trial.run("index", second), "indexing once there is room")
    trial.finds("second", 12, "once there is room")
    with trial.service():
        for at in range(3):
            if trial.put("before", at)[0] != "done":
                trial.fault("a document with room enough")
        fill(0)
        state, words = trial.put("during", 0)
        trial.said("a document without room", words)
        if state not in ("failed", "refused"):
            trial.fault(f"a document without room is `{state}`")
        trial.mends(words, "a document without room")
        trial.finds("before", 3, "a service without room")
        os.remove(ballast)
        state, words = trial.put("after", 0)
        if state != "done":
            trial.fault(f"a document once there is room is `{state}`: {words}")
        if trial.put("during", 0)[0] != "done":
            trial.fault("the document that found no room, again")
        trial.finds("during", 1, "once there is room")
    trial.finds("first", 5, "at the end")
    trial.finds("before", 3, "at the end")


def readonly(trial):
    first, second = trial.folder("first", 10), trial.folder("second", 10)
    trial.mount("size=400m")
    trial.wants(trial.run("index", first), "the first folder")
    trial.remount("ro")
    trial.refuses(trial.run("index", second), "indexing where nothing can be written")
    trial.refuses(trial.run("search", "first0word"), "searching where nothing can be written")
    trial.remount("rw")
    trial.finds("first", 10, "once it can be written")
    trial.wants(trial.run("index", second), "indexing once it can be written")
    trial.finds("second", 10, "at the end")


def clock(trial):
    libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not libraries:
        raise SystemExit("clock: libfaketime is not there; apt-get install libfaketime")
    hand = os.path.join(trial.work, "clock")

    def at(offset):
        with open(hand + ".new", "w") as file:
            file.write(offset)
        os.replace(hand + ".new", hand)

    # The clock that only goes ahead is what it is: a jump of the other does not move it.
    faked = {
        "LD_PRELOAD": libraries[0],
        "FAKETIME_TIMESTAMP_FILE": hand,
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    at("+0")
    first, second = trial.folder("first", 5), trial.folder("second", 5)
    with trial.service(faked):
        for number, offset in enumerate(["+0", "+3650d", "-3650d", "+1d"]):
            at(offset)
            began = time.monotonic()
            state, words = trial.put("jump", number)
            if state != "done" or time.monotonic() - began > 20:
                trial.fault(f"a document at {offset} is `{state}` after {time.monotonic() - began:.1f} s: {words}")
            status, told = trial.ask("/v1/search", {"query": f"jump{number}word"})
            if status != 200 or told["degraded"] or not told["results"]:
                trial.fault(f"a search at {offset}: {status} {json.dumps(told)[:300]}")
            body = {"message": "What is said of the harbour?", "route": "extractive", "stream": False}
            status, told = trial.ask("/v1/chat", body)
            if status != 200:
                trial.fault(f"a question at {offset}: {status} {json.dumps(told)[:300]}")
        trial.finds("jump", 4, "after the jumps")
    for offset, folder, name in [("+3650d", first, "first"), ("-3650d", second, "second"), ("-3650d", first, "first")]:
        at(offset)
        trial.wants(trial.run("index", folder, environment=faked), f"indexing at {offset}")
        trial.finds(name, 5, f"indexed at {offset}")
    # What changed while the clock stood in the past is seen.
    with open(os.path.join(first, "first0.md"), "a") as file:
        file.write("\nAnother lighthouseword.\n")
    os.utime(os.path.join(first, "first0.md"), (1, 1))
    trial.wants(trial.run("index", first), "indexing a file that is older than before")
    found = json.loads(trial.run("search", "lighthouseword", "--mode", "lexical", "--json").stdout)
    if not found["results"]:
        trial.fault("a change whose time lies in the past is not seen")
    said = f"four jumps, {trial.faults} faults"
    trial.said("the clock", said)


def twice(trial):
    first = trial.folder("first", 5)
    with trial.service():
        trial.refuses(trial.run("serve", "--listen", "127.0.0.1:0"), "a second service")
        # A command goes to the service that runs.
        trial.wants(trial.run("index", first), "a command beside the service")
        trial.finds("first", 5, "beside the service")
        if trial.put("during", 0)[0] != "done":
            trial.fault("a document after a second service was refused")
    trial.finds("during", 1, "at the end")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    trials = {"full": full, "readonly": readonly, "clock": clock, "twice": twice}
    faults = 0
    for kind in sys.argv[2:] or trials:
        trial = Trial(sys.argv[1], kind)
        try:
            trials[kind](trial)
        finally:
            subprocess.run(["umount", "-q", trial.data], check=False)
        faults += trial.faults
        print(f"{kind}: {trial.faults} faults", flush=True)
    sys.exit(1 if faults else 0)


main()
