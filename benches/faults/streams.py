"""Many chat streams at once: none lost, none mixed up, memory bounded.

    streams.py BINARY [STREAMS] [--gateway]      500 streams; --gateway puts the real Portkey gateway in between

Starts a scripted upstream, the service with fixtures/corpus's policies, and asks STREAMS questions at once, each with
a token of its own that the upstream repeats word by word. Every stream must end in `done` and hold its own token in
every word, and no other. Prints the figures; exit code 1 after a fault. Needs PORTOLAN_MODELS and ORT_DYLIB_PATH.
"""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

WORDS = 40
ROUTES = """
[[route]]
name = "scripted"
description = "words that carry the question's token"
kind = "gateway"
strategy = "single"
default = true

[[route.target]]
provider = "openai"
model = "scripted"
base_url = "http://127.0.0.1:{port}/v1"
window = 16000
max_output = 500
"""


async def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary = os.path.abspath(sys.argv[1])
    streams = next((int(word) for word in sys.argv[2:] if word.isdigit()), 500)
    upstream = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=2048)
    port = upstream.sockets[0].getsockname()[1]
    processes = []
    with tempfile.TemporaryDirectory() as data:
        try:
            base = f"http://127.0.0.1:{port}/v1"
            if "--gateway" in sys.argv:
                gateway = free_port()
                command = ["node", "--import", "./loopback.mjs"]
                command += ["node_modules/@portkey-ai/gateway/build/start-server.js", f"--port={gateway}", "--headless"]
                processes.append(subprocess.Popen(command, cwd="gateway", stdout=subprocess.DEVNULL))
                await ready(gateway, "/")
                base = f"http://127.0.0.1:{gateway}/v1"
            routes = os.path.join(data, "routes.toml")
            with open(routes, "w", encoding="utf-8") as file:
                file.write(ROUTES.format(port=port))
            await asyncio.to_thread(run, [binary, "index", "fixtures/corpus/policies", "--data", data])
            listen = free_port()
            settings = os.path.join(data, "portolan.toml")
            with open(settings, "w", encoding="utf-8") as file:
                file.write("[evidence]\ndecline_below = 0.0\n")
            environment = {**os.environ, "PORTOLAN_ROUTES": routes, "PORTOLAN_GATEWAY_URL": base, "PORTOLAN_LOG": "error"}
            command = [binary, "serve", "--data", data, "--listen", f"127.0.0.1:{listen}", "--config", settings]
            service = subprocess.Popen(command, env=environment)
            processes.append(service)
            await ready(listen, "/readyz")
            sys.exit(await measure(service.pid, listen, streams))
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
                process.wait()


async def measure(pid, port, streams):
    await chat(port, 999_999)
    began = time.monotonic()
    outcomes = await asyncio.gather(*(chat(port, number) for number in range(streams)), return_exceptions=True)
    took = time.monotonic() - began
    faults = [outcome for outcome in outcomes if outcome is not None]
    for fault in faults[:5]:
        print(f"FAULT {fault!r}")
    status = open(f"/proc/{pid}/status", encoding="ascii").read()
    peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024
    print(f"{streams} streams of {WORDS} words in {took:.1f} s, {len(faults)} faults, peak RSS {peak:.0f} MB")
    return 1 if faults else 0


async def chat(port, number):
    # Letters only: an unknown code would rightly be declined.
    token = "tok" + "".join("abcdefghij"[int(digit)] for digit in f"{number:06}")
    question = f"Who approved the travel policy of 2025, asked {token}x?"
    body = json.dumps({"message": question}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    head = f"POST /v1/chat HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nconnection: close\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    received = (await asyncio.wait_for(reader.read(-1), 300)).decode()
    writer.close()
    frames = re.findall(r"event: (\w+)\ndata: (.*)\n", dechunk(received))
    text = "".join(json.loads(data)["delta"] for name, data in frames if name == "text")
    if not frames or frames[-1][0] != "done":
        return f"{token} ended with {frames[-1:] or received[:200]}"
    if frames[0][0] != "started" or sorted(set(re.findall(r"tok[a-j]+", text))) != [token]:
        return f"{token} got {text[:200]}"
    if len(re.findall(token, text)) != WORDS:
        return f"{token} has {len(re.findall(token, text))} words"
    return None


def dechunk(raw):
    head, _, rest = raw.partition("\r\n\r\n")
    if "transfer-encoding: chunked" not in head.lower():
        return rest
    parts = []
    while rest:
        size, _, rest = rest.partition("\r\n")
        length = int(size, 16)
        # Sizes are in bytes; the scripted answers and the corpus's extracts may hold other characters.
        piece = rest.encode()[:length].decode()
        parts.append(piece)
        rest = rest[len(piece) + 2 :]
        if length == 0:
            break
    return "".join(parts)


async def answer(reader, writer):
    """One OpenAI-shaped streamed answer a connection, a word a frame."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
    body = json.loads(await reader.readexactly(length))
    token = re.search(r"(tok[a-j]+)x", body["messages"][-1]["content"])[1]
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")

    def frame(delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        data = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": [choice]}
        writer.write(f"data: {json.dumps(data)}\n\n".encode())

    for _ in range(WORDS):
        frame({"content": f"{token} "})
        await writer.drain()
        await asyncio.sleep(0.005)
    frame({}, "stop")
    writer.write(b"data: [DONE]\n\n")
    await writer.drain()
    writer.close()


async def ready(port, path):
    for _ in range(600):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n".encode())
            if b" 200 " in await reader.readline():
                writer.close()
                return
            writer.close()
        except OSError:
            pass
        await asyncio.sleep(0.1)
    sys.exit(f"nothing answers at {port}{path}")


def run(command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


asyncio.run(main())
