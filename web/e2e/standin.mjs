// A small stand-in for the server, for work on the page alone: web/dist, the page's security policy, and scripted
// answers in the shapes of the interface. PORT is taken from the environment (default 8099).
import { createServer } from "node:http";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

const dist = new URL("../dist/", import.meta.url);
const types = { html: "text/html", js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
const text = `# Leave policy\n\nValid from January – für alle Häfen ⚓.\n\n## Annual leave\n\nEvery full-time employee has 28 days of paid annual leave a year. Part-time staff get a share of that.\n\n## Carrying over\n\nUp to five days may be carried into the next year, until the end of March.\n\n${"## Other matters\n\nAsk the harbour office about anything that is not written here, and keep a note of what it says.\n\n".repeat(12)}`;
const bytes = (part) => { const start = Buffer.byteLength(text.slice(0, text.indexOf(part))); return [start, start + Buffer.byteLength(part)]; };
const quotes = ["Every full-time employee has 28 days of paid annual leave a year.", "Up to five days may be carried into the next year, until the end of March."];
const passage = (number, quote, path, words) => ({
  id: `p${number}`, number, collection: "default", document: "doc-1", version: "1", title: "Leave policy", uri: "handbook/leave-policy.md",
  heading_path: ["Leave policy", path], text: quote, span: bytes(quote),
  highlights: words.filter((word) => quote.includes(word)).map((word) => { const at = Buffer.byteLength(quote.slice(0, quote.indexOf(word))); return [at, at + Buffer.byteLength(word)]; }),
  scores: { fused: 0.9 - number / 10 }, metadata: { department: "hr" },
});
const passages = (words = []) => [passage(1, quotes[0], "Annual leave", words), passage(2, quotes[1], "Carrying over", words)];
const citation = (number, end) => ({ number, answer_range: [0, end], document: "doc-1", version: "1", source_range: bytes(quotes[number - 1]), quote: quotes[number - 1], checked: true, title: "Leave policy", uri: "handbook/leave-policy.md", collection: "default" });
const said = [`You have **28 days** of paid leave a year – pro rata part-time `, `[1]`, `. Up to five days may be carried over `, `[2]`, `, until the end of March.\n\n| Kind | Days |\n| --- | --- |\n| Annual | 28 |\n| Carried over | 5 |\n\n![x](https://example.invalid/x.png)<script></script>`];
const upTo = (index) => Buffer.byteLength(said.slice(0, index).join("").trimEnd());
const stored = new Map();
let runs = 0;

async function chat(body, response) {
  const id = body.conversation ?? `c${++runs}`;
  const declined = /football|capital|weather/i.test(body.message);
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache, no-transform" });
  let sent = 0;
  const send = (event, data) => response.write(`id: ${++sent}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const answer = { id: `m${sent}`, role: "assistant", text: "", state: "incomplete", sources: [], citations: [] };
  const kept = stored.get(id) ?? { id, title: body.message, messages: [] };
  kept.messages.push({ id: `q${kept.messages.length}`, role: "user", text: body.message }, { ...answer, id: `a${kept.messages.length}` });
  stored.set(id, kept);
  const keep = (change) => Object.assign(kept.messages.at(-1), change);
  send("started", { run: "r", conversation: id, message: "m", route: body.route ?? "demo-llm", reason: "default", question: body.message });
  await pause(Number(process.env.DELAY ?? 120));
  if (declined) {
    const verdict = { verdict: "declined", missing: ["the 1998 football world cup"], nearest: passages().map(({ number, ...rest }) => rest) };
    send("sources", { passages: [] });
    send("text", { delta: "Your documents do not say." });
    send("verdict", verdict);
    keep({ text: "Your documents do not say.", verdict });
  } else {
    send("sources", { passages: passages() });
    keep({ sources: passages() });
    for (const [index, part] of said.entries()) {
      if (response.destroyed) return;
      for (const delta of part.match(/[^]{1,7}/gu)) { send("text", { delta }); await pause(15); }
      keep({ text: said.slice(0, index + 1).join("") });
      if (index === 1 || index === 3) { const one = citation(index === 1 ? 1 : 2, upTo(index)); send("citation", one); kept.messages.at(-1).citations.push(one); }
      if (index === 1 && /fail/i.test(body.message)) { send("failed", { problem: { title: "The model stopped", status: 502, detail: "The upstream closed the stream in the middle of the answer." }, retry: true }); return response.end(); }
      if (index === 1 && /slow/i.test(body.message)) await pause(60_000, undefined, { ref: false });
    }
    send("verdict", { verdict: /partial/i.test(body.message) ? "partial" : "answered", missing: /partial/i.test(body.message) ? ["sick leave"] : [], nearest: [] });
  }
  const usage = { tokens_in: 412, tokens_out: 58, cached: 0, estimated: true, cost_usd: null, time_to_first_token_ms: 31, attempts: 1, model: null };
  send("usage", usage);
  send("done", { finish_reason: "stop" });
  keep({ state: "complete", usage, route: body.route ?? "demo-llm" });
  response.end();
}

function json(response, value, status = 200) {
  response.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json" });
  response.end(JSON.stringify(value));
}
const problem = (status, title, detail) => ({ type: "about:blank", title, status, detail });

async function answer(request, response) {
  const url = new URL(request.url, "http://localhost");
  const parts = url.pathname.split("/").slice(1);
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : {};
  if (parts[0] !== "v1") return file(url.pathname, response);
  if (parts[1] === "chat") return chat(body, response);
  if (parts[1] === "search") return json(response, { results: passages(body.query.split(/\s+/)), total: 2, total_relation: "exact", facets: { department: [{ value: "hr", count: 2 }] }, degraded: body.mode === "vector" ? ["vector"] : [], took_ms: 3.4 });
  if (parts[1] === "suggest") return json(response, { completions: [{ text: "Leave policy", kind: "title", documents: 1 }], results: [], took_ms: 1 });
  if (parts[1] === "collections") return json(response, { collections: [{ name: "default", documents: 1, chunks: 2, available: true }] });
  if (parts[1] === "routes") return json(response, { routes: [
    { name: "extractive", description: "Verbatim sentences, no model", kind: "extractive", default: false, available: true, targets: [] },
    { name: "demo-llm", description: "A small local model", kind: "gateway", default: true, available: true, targets: [] },
    { name: "hosted", description: "A hosted model", kind: "gateway", default: false, available: false, reason: "no key", targets: [] }] });
  if (parts[1] === "documents" && !parts[2]) return json(response, { documents: [{ title: "Leave policy", uri: "handbook/leave-policy.md" }], total: 1 });
  if (parts[1] === "documents" && parts[2] === "doc-1") return json(response, { id: "doc-1", uri: "handbook/leave-policy.md", title: "Leave policy", version: "1", text, headings: ["# Leave policy", "## Annual leave", "## Carrying over"].map((head) => ({ level: 2, title: head, start: bytes(head)[0] })), metadata: {} });
  if (parts[1] === "conversations" && !parts[2]) return json(response, { conversations: [...stored.values()].reverse().map(({ id, title }) => ({ id, title })) });
  const kept = stored.get(parts[2]);
  if (parts[1] !== "conversations" || !kept) return json(response, problem(404, "Not found", `nothing at \`${url.pathname}\``), 404);
  if (request.method === "DELETE") { stored.delete(parts[2]); return json(response, { removed: true }); }
  return json(response, kept);
}

function file(path, response) {
  const found = new URL(`.${path === "/" ? "/index.html" : path}`, dist);
  if (!existsSync(found)) return json(response, problem(404, "Not found", path), 404);
  response.writeHead(200, { "content-type": types[path.split(".").pop()] ?? "text/html", "content-security-policy": "default-src 'self'; style-src 'self'; img-src 'self' data:" });
  response.end(readFileSync(found));
}

const server = createServer((request, response) => answer(request, response).catch((error) => json(response, problem(500, "Failed", String(error)), 500)));
server.listen(Number(process.env.PORT ?? 8099), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
