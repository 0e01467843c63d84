"""Serve one GGUF model with llama.cpp's own HTTP server, OpenAI-shaped, on 127.0.0.1.

    demo_llm.py MODEL.gguf PORT THREADS

`GET /health` is 503 while the model loads and 200 when it can answer.
"""

import signal
import sys
import threading

import xllamacpp

CONTEXT_TOKENS = 4096


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    model, port, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    settings = xllamacpp.CommonParams()
    settings.model.path = model
    settings.model_alias = {"demo-llm"}
    settings.hostnames = ["127.0.0.1"]
    settings.port = port
    settings.n_ctx = CONTEXT_TOKENS
    settings.n_parallel = 1
    settings.use_jinja = True
    settings.ui = False
    for processors in (settings.cpuparams, settings.cpuparams_batch):
        processors.n_threads = threads
    server = xllamacpp.Server(settings)
    # The server's own clean-up can hang with a request in flight, and there is nothing to save:
    # the kernel's default ends the process at once, whatever its threads are doing.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    print(f"listening on {server.listening_address}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
