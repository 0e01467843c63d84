// Call a running Portolan with the official Node clients: check.mjs URL [KEY]
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { DefaultChatTransport, readUIMessageStream } from "ai";
import OpenAI from "openai";
import { Portkey } from "portkey-ai";

const QUESTION = "When do carried-over leave days lapse?";
const MODEL = "extractive";
const [url, key = "none"] = process.argv.slice(2);
if (!url) {
  console.error("check.mjs URL [KEY]");
  process.exit(2);
}
const base = `${url.replace(/\/$/, "")}/v1`;
const say = (client, what) => console.log(`${client}: ${what}`);
const brief = (text) => text.split(/\s+/).join(" ").slice(0, 60);

async function completions(name, client) {
  const messages = [{ role: "user", content: QUESTION }];
  const models = await client.models.list();
  assert(models.data.some((model) => model.id === MODEL), "the route is no model");
  const whole = await client.chat.completions.create({ model: MODEL, messages });
  const text = whole.choices[0].message.content;
  assert(text && whole.choices[0].finish_reason === "stop");
  let said = "", usage, annotations = [];
  const stream = await client.chat.completions.create({
    model: MODEL, messages, stream: true, stream_options: { include_usage: true },
  });
  for await (const chunk of stream) {
    usage = chunk.usage ?? usage;
    said += chunk.choices[0]?.delta?.content ?? "";
    annotations.push(...(chunk.choices[0]?.delta?.annotations ?? []));
  }
  assert.equal(said, text);
  assert(usage && annotations.length > 0, "no usage or no citation");
  say(name, `chat completions, whole and streamed: ${brief(text)}`);
}

async function responses(name, client) {
  const whole = await client.responses.create({ model: MODEL, input: QUESTION });
  const part = whole.output[0].content[0];
  assert.equal(whole.status, "completed");
  assert.equal(part.annotations[0].type, "url_citation");
  let said = "", last;
  for await (const event of await client.responses.create({ model: MODEL, input: QUESTION, stream: true })) {
    if (event.type === "response.output_text.delta") said += event.delta;
    last = event;
  }
  assert.equal(last.type, "response.completed");
  assert.equal(said, last.response.output[0].content[0].text);
  const more = await client.responses.create({
    model: MODEL, input: "And how many days can be carried over?", previous_response_id: whole.id,
  });
  assert.equal(more.conversation.id, whole.conversation.id);
  say(name, `responses, whole and streamed, with ${part.annotations.length} citations`);
}

async function refusals(client) {
  await assert.rejects(client.responses.create({ model: "gpt-9", input: "a" }), OpenAI.NotFoundError);
  const tools = [{ type: "web_search" }];
  await assert.rejects(client.responses.create({ model: MODEL, input: "a", tools }), (error) => error.param === "tools");
  say("openai", "wrong calls are refused as its own errors");
}

async function tools() {
  const client = new Client({ name: "check", version: "1" });
  const requestInit = { headers: { authorization: `Bearer ${key}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit }));
  const names = (await client.listTools()).tools.map((tool) => tool.name);
  assert.deepEqual(names, ["search", "fetch", "ask"]);
  const found = await client.callTool({ name: "search", arguments: { query: QUESTION } });
  const [first] = found.structuredContent.results;
  const document = await client.callTool({ name: "fetch", arguments: { id: first.id } });
  assert.equal(document.structuredContent.title, first.title);
  const answer = await client.callTool({ name: "ask", arguments: { question: QUESTION, route: MODEL } });
  assert(answer.structuredContent.citations[0].checked);
  await client.close();
  say("@modelcontextprotocol/sdk", `${names.join(", ")}: ${brief(answer.structuredContent.answer)}`);
}

// As `useChat` has it: the transport sends, the parser makes one message of the parts.
async function messageStream() {
  const transport = new DefaultChatTransport({
    api: `${base}/chat`,
    headers: { authorization: `Bearer ${key}` },
    prepareSendMessagesRequest: ({ messages }) => ({
      body: {
        message: messages.at(-1).parts.map((part) => part.text ?? "").join(""),
        conversation: messages.findLast((one) => one.role === "assistant")?.metadata?.conversation,
        route: MODEL,
        format: "ui-message-stream",
      },
    }),
  });
  const ask = async (messages) => {
    const stream = await transport.sendMessages({
      trigger: "submit-message", chatId: "c", messageId: undefined, messages, abortSignal: undefined,
    });
    let message;
    for await (const state of readUIMessageStream({ stream, terminateOnError: true })) message = state;
    return message;
  };
  const question = (text) => ({ id: text, role: "user", parts: [{ type: "text", text }] });
  const first = await ask([question(QUESTION)]);
  const texts = first.parts.filter((part) => part.type === "text");
  assert.equal(texts.length, 1);
  assert.equal(texts[0].state, "done");
  assert(first.parts.some((part) => part.type === "source-document"));
  assert(first.parts.find((part) => part.type === "data-verdict").data.verdict);
  const second = await ask([question(QUESTION), first, question("And how many days can be carried over?")]);
  assert.equal(second.metadata.conversation, first.metadata.conversation);
  say("ai", `UI message stream of ${first.parts.length} parts: ${brief(texts[0].text)}`);
}

const openai = new OpenAI({ baseURL: base, apiKey: key, maxRetries: 0 });
await completions("openai", openai);
await responses("openai", openai);
await refusals(openai);
const portkey = new Portkey({ baseURL: base, apiKey: key, Authorization: `Bearer ${key}` });
await completions("portkey-ai", portkey);
await responses("portkey-ai", portkey);
await tools();
await messageStream();
