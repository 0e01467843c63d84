"""Ask a running Portolan one question and tell in one line what came of it.

    smoke.py URL COLLECTION GOLDEN ROUTE   GOLDEN: a golden.jsonl, or `-` for documents of one's own
    smoke.py --question GOLDEN             only print the question

On the route `extractive` it searches first. Exit code 0 when everything answered.
"""

import json
import sys
import time
import urllib.request

# A cold model on a busy machine reads its prompt for a minute.
PATIENCE_SECONDS = 300
OWN_DOCUMENTS = {"question": "What is this about?", "document": None}


def main():
    if sys.argv[1:2] == ["--question"] and len(sys.argv) == 3:
        print(golden_question(sys.argv[2])["question"])
        return
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    url, collection, golden, route = sys.argv[1:]
    asked = OWN_DOCUMENTS if golden == "-" else golden_question(golden)
    told = []
    try:
        if route == "extractive":
            told.append(search(url, collection, asked))
        told.append(chat(url, collection, asked, route))
    except (OSError, ValueError, KeyError) as error:
        told.append(f"{route}: {error}")
        sys.exit(f"portolan: smoke check: {'; '.join(told)}")
    print(f"portolan: smoke check: {'; '.join(told)}", flush=True)


def golden_question(path):
    """The first answerable question that stands alone."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            if entry["answerable"] and not entry.get("follows"):
                return entry
    raise ValueError(f"no answerable question in `{path}`")


def post(url, body):
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    return urllib.request.urlopen(request, timeout=PATIENCE_SECONDS)


def search(url, collection, asked):
    began = time.monotonic()
    with post(f"{url}/v1/search", {"query": asked["question"], "collection": collection}) as response:
        results = json.load(response)["results"]
    if not results:
        raise ValueError(f"search found nothing for `{asked['question']}`")
    first = results[0].get("title") or results[0]["uri"]
    return f"search found {len(results)} passages in {milliseconds(began)}, first `{first}`"


def chat(url, collection, asked, route):
    """Reads the events to their end; a `failed` one, or no `done`, is a failure."""
    began = time.monotonic()
    body = {"message": asked["question"], "collection": collection, "route": route}
    text, citations = "", 0
    with post(f"{url}/v1/chat", body) as response:
        for event, data in events(response):
            if event == "text":
                text += data["delta"]
            elif event == "citation":
                citations += 1
            elif event == "failed":
                raise ValueError(f"the answer failed: {data.get('detail') or data}")
            elif event == "done":
                words = " ".join(text.split())
                return f"{route} answered in {milliseconds(began)} with {citations} citations: {words[:80]}"
    raise ValueError("the stream ended without `done`")


def events(response):
    """(event, data) of a server-sent event stream; comments are skipped."""
    event, data = None, []
    for line in response:
        line = line.decode().rstrip("\r\n")
        if not line and data:
            yield event, json.loads("\n".join(data))
            event, data = None, []
        elif line.startswith("event:"):
            event = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].strip())


def milliseconds(began):
    return f"{(time.monotonic() - began) * 1000:.0f} ms"


if __name__ == "__main__":
    main()
