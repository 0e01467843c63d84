"""Call a running Portolan with the official Python clients: check.py URL [KEY]"""

import asyncio
import json
import sys

import httpx2
import openai
import portkey_ai
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

QUESTION = "When do carried-over leave days lapse?"
MODEL = "extractive"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    url = sys.argv[1].rstrip("/")
    key = sys.argv[2] if len(sys.argv) == 3 else "none"
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    completions("openai", client)
    responses("openai", client)
    errors(client)
    portkey = portkey_ai.Portkey(base_url=f"{url}/v1", api_key=key, Authorization=f"Bearer {key}")
    completions("portkey-ai", portkey)
    responses("portkey-ai", portkey)
    asyncio.run(tools(f"{url}/mcp", key))


def say(client, what):
    print(f"{client}: {what}", flush=True)


def completions(name, client):
    messages = [{"role": "user", "content": QUESTION}]
    assert MODEL in [model.id for model in client.models.list().data], "the route is no model"
    whole = client.chat.completions.create(model=MODEL, messages=messages)
    text = whole.choices[0].message.content
    assert text and whole.choices[0].finish_reason == "stop", whole
    said, usage, annotations = "", None, []
    stream = client.chat.completions.create(
        model=MODEL, messages=messages, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices or []:
            said += choice.delta.content or ""
            annotations += getattr(choice.delta, "annotations", None) or []
    assert said == text, (said, text)
    assert usage is not None and usage.total_tokens >= 0, "no usage"
    assert annotations, "no citation"
    more = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "And how many days can be carried over?"}],
        metadata={"conversation": whole.model_dump()["metadata"]["conversation"]},
    )
    assert more.model_dump()["metadata"]["conversation"] == whole.model_dump()["metadata"]["conversation"]
    say(name, f"chat completions, whole and streamed: {' '.join(text.split())[:60]}")


def responses(name, client):
    whole = client.responses.create(model=MODEL, input=QUESTION)
    text = whole.output[0].content[0].text
    citation = whole.output[0].content[0].annotations[0]
    assert whole.status == "completed" and text, whole
    assert citation.type == "url_citation" and citation.end_index <= len(text), citation
    assert whole.usage.total_tokens == whole.usage.input_tokens + whole.usage.output_tokens
    said, last = "", None
    for event in client.responses.create(model=MODEL, input=QUESTION, stream=True):
        said += event.delta if event.type == "response.output_text.delta" else ""
        last = event
    assert last.type == "response.completed" and said == last.response.output[0].content[0].text, last
    more = client.responses.create(
        model=MODEL, input="And how many days can be carried over?", previous_response_id=whole.id
    )
    assert more.previous_response_id == whole.id and more.conversation.id == whole.conversation.id, more
    if hasattr(client.responses, "stream") and name == "openai":
        with client.responses.stream(model=MODEL, input=QUESTION) as stream:
            for _ in stream:
                pass
            assert stream.get_final_response().output_text == said
    say(name, f"responses, whole and streamed, with {len(whole.output[0].content[0].annotations)} citations")


def errors(client):
    calls = [
        (openai.NotFoundError, "model", dict(model="gpt-9", input="a")),
        (openai.BadRequestError, "input", dict(model=MODEL, input=[])),
        (openai.BadRequestError, "tools", dict(model=MODEL, input="a", tools=[{"type": "web_search"}])),
        (openai.NotFoundError, "previous_response_id", dict(model=MODEL, input="a", previous_response_id="resp_x")),
    ]
    for kind, parameter, arguments in calls:
        try:
            client.responses.create(**arguments)
        except kind as error:
            assert error.param == parameter, (error.param, parameter)
        else:
            raise AssertionError(f"{arguments} was not refused")
    say("openai", f"{len(calls)} wrong calls are refused as its own errors")


async def tools(url, key):
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with streamable_http_client(url, http_client=http) as streams:
            async with ClientSession(streams[0], streams[1]) as session:
                told = await session.initialize()
                names = [tool.name for tool in (await session.list_tools()).tools]
                assert names == ["search", "fetch", "ask"], names
                found = await session.call_tool("search", {"query": QUESTION})
                result = json.loads(found.content[0].text)["results"][0]
                document = await session.call_tool("fetch", {"id": result["id"]})
                assert result["title"] in document.content[0].text
                answer = await session.call_tool("ask", {"question": QUESTION, "route": MODEL})
                answer = json.loads(answer.content[0].text)
                assert answer["citations"][0]["checked"], answer
                wrong = await session.call_tool("search", {"query": ""})
                assert "empty" in wrong.content[0].text, wrong
    say("mcp", f"{', '.join(names)}: {' '.join(answer['answer'].split())[:60]}")


if __name__ == "__main__":
    main()
