"""What markitdown makes of the same files: a line a file with its letters, milliseconds and, where it failed, why.

    python3 -m venv /tmp/peer && /tmp/peer/bin/pip install 'markitdown[all]'
    /tmp/peer/bin/python benches/formats/peer.py FOLDER LABELS
"""

import collections
import multiprocessing
import sys
import time

DEADLINE = 20


def work(pipe):
    """Reads file after file, with the reader loaded once."""
    from markitdown import MarkItDown

    reader = MarkItDown()
    pipe.send("ready")
    while path := pipe.recv():
        started = time.monotonic()
        try:
            text, reason = reader.convert(path).text_content, ""
        except Exception as error:
            text, reason = "", f"{type(error).__name__}: {error}".replace("\n", " ")[:120]
        pipe.send((sum(map(str.isalnum, text)), time.monotonic() - started, reason))


class Worker:
    """A process that is replaced when it hangs or crashes."""

    def __init__(self):
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.process = context.Process(target=work, args=(there,))
        self.process.start()
        there.close()
        self.pipe.recv()

    def read(self, path):
        self.pipe.send(path)
        if not self.pipe.poll(DEADLINE):
            self.process.kill()
            self.__init__()
            return 0, DEADLINE, "HUNG"
        try:
            return self.pipe.recv()
        except EOFError:
            self.__init__()
            return 0, 0, "CRASHED"


def main(folder, labels):
    worker = Worker()
    tallies = collections.defaultdict(lambda: [0, 0, 0, 0, 0.0])
    for line in open(labels):
        if line.startswith("#"):
            continue
        name, holds = line.rstrip("\n").split("\t")[:2]
        letters, took, reason = worker.read(f"{folder}/{name}")
        print(name, holds, letters, round(took * 1000), reason, sep="\t", flush=True)
        for tally in (tallies[name.rsplit(".", 1)[-1]], tallies["~all"]):
            tally[0] += 1
            tally[1] += holds == "text"
            tally[2] += holds == "text" and letters > 0
            tally[3] += reason.startswith(("HUNG", "CRASHED"))
            tally[4] += took
    worker.process.kill()
    print("\n| format | files | hold text | with text | crashed, hung | s |\n|---|---|---|---|---|---|")
    for name, (files, hold, with_text, failed, took) in sorted(tallies.items()):
        print(f"| {name.strip('~')} | {files} | {hold} | {with_text} | {failed} | {took:.2f} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
