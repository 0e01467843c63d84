"""Kill the service while it indexes, again and again, and look whether anything was lost or half shown.

    kill_index.py BINARY [KILLS] [SEED]      100 kills, seed 1

Each round starts the service on one data folder, sends documents (new ones and new versions of old ones) and ends it
with SIGKILL at a random instant. After each restart: the index opens; every acknowledged document (its job was done)
is there in its acknowledged or a later version; every document that is listed is found by its own word in the lexical
leg and by its own text in the vector leg, in one and the same version. Prints one line a fault and a summary; exit
code 1 after a fault. Needs PORTOLAN_MODELS and ORT_DYLIB_PATH, as `make test` sets them.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

WORDS = "harbour sounder beacon tide mooring fathom chart buoy anchor current salinity sensor gauge hull ballast".split()
BATCH = 6
NAMES = 120


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary, kills = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    with tempfile.TemporaryDirectory() as data:
        state = State(binary, data, rng)
        for kill in range(kills):
            state.round(kill)
        state.start()
        state.check("at the end")
        state.stop()
        print(
            f"{kills} kills, {state.jobs} jobs acknowledged, {len(state.acknowledged)} documents acknowledged, "
            f"{state.listed} there at the end, {state.faults} faults"
        )
        sys.exit(1 if state.faults else 0)


class State:
    def __init__(self, binary, data, rng):
        self.binary, self.data, self.rng = binary, data, rng
        self.process = None
        self.port = 0
        self.version = {}
        self.acknowledged = {}
        self.jobs = self.faults = self.listed = 0

    def round(self, kill):
        self.start()
        self.check(f"after kill {kill}")
        moment = time.monotonic() + self.rng.uniform(0.0, 1.5)
        try:
            while time.monotonic() < moment:
                self.put(moment)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def start(self):
        self.port = free_port()
        log = open(os.path.join(self.data, "log"), "ab")
        command = [self.binary, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(command, stderr=log, stdout=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                sys.exit(f"the service did not open its data after a kill; its log is in {self.data}/log")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5)
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.02)
        sys.exit("the service was not ready within 60 s")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def put(self, moment):
        """Sends some documents; a job that ends before the kill acknowledges them."""
        sent = []
        for _ in range(BATCH):
            name = f"doc{self.rng.randrange(NAMES):04}"
            self.version[name] = self.version.get(name, 0) + 1
            text = self.text(name, self.version[name])
            job = self.ask("/v1/documents", {"uri": name, "title": name, "text": text})["job"]
            sent.append((name, self.version[name], job))
        for name, version, job in sent:
            while time.monotonic() < moment:
                if self.ask(f"/v1/jobs/{job}")["state"] == "done":
                    self.acknowledged[name] = max(version, self.acknowledged.get(name, 0))
                    self.jobs += 1
                    break
                time.sleep(0.01)

    def text(self, name, version):
        rng = random.Random(f"{name} {version}")
        words = " ".join(rng.choice(WORDS) for _ in range(60))
        return f"{name}word version{version}mark {words}."

    def check(self, when):
        try:
            documents = self.ask("/v1/documents?limit=1000")["documents"]
        except urllib.error.HTTPError:
            documents = []
        there = {document["uri"] for document in documents}
        self.listed = len(there)
        for name in self.acknowledged:
            if name not in there:
                self.fault(f"{when}: {name} was acknowledged and is gone")
        # All acknowledged ones that may have been touched lately would take too long: a sample each round.
        for name in self.rng.sample(sorted(there), min(len(there), 12)):
            versions = [self.found(name, "lexical"), self.found(name, "vector")]
            if versions[0] is None or versions[0] != versions[1]:
                self.fault(f"{when}: {name} is half there: lexical {versions[0]}, vector {versions[1]}")
            elif versions[0] < self.acknowledged.get(name, 0):
                self.fault(f"{when}: {name} went back to {versions[0]} from {self.acknowledged[name]}")

    def found(self, name, mode):
        """The version of the document that a leg finds by its own word or text."""
        query = f"{name}word"
        if mode == "vector":
            source = self.ask("/v1/search", {"query": query, "mode": "lexical", "limit": 1})["results"]
            query = source[0]["text"] if source else query
        results = self.ask("/v1/search", {"query": query, "mode": mode, "limit": 10})["results"]
        for result in results:
            if result["uri"] == name:
                mark = next(word for word in result["text"].split() if word.startswith("version"))
                return int(mark.removeprefix("version").removesuffix("mark"))
        return None

    def fault(self, text):
        self.faults += 1
        print(f"FAULT {text}", flush=True)


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


main()
