import { afterEach, expect, test, vi } from "vitest";
import { chat } from "./api";
import type { ChatEvent } from "./wire";

const EVENTS = [
  'id: 1\nevent: started\ndata: {"run":"r 1","conversation":"c","message":"m","route":"x"}\n\n',
  'id: 2\nevent: text\ndata: {"delta":"one "}\n\n',
  'id: 3\nevent: text\ndata: {"delta":"two"}\n\n',
  'id: 4\nevent: done\ndata: {"finish_reason":"stop"}\n\n',
];

/** These events, and then the end or a broken connection. */
function answer(events: string[], broken = false): Response {
  const body = new ReadableStream({
    start(to) {
      to.enqueue(new TextEncoder().encode(events.join("")));
      if (!broken) to.close();
    },
    pull(to) {
      if (broken) to.error(new TypeError("network error"));
    },
  });
  return new Response(body);
}

type Call = [string, string | null];

function server(...answers: (() => Response)[]): Call[] {
  const calls: Call[] = [];
  vi.stubGlobal("sessionStorage", { getItem: () => null });
  vi.stubGlobal("fetch", (path: string, options?: RequestInit) => {
    calls.push([`${options?.method ?? "GET"} ${path}`, new Headers(options?.headers).get("last-event-id")]);
    const next = answers.shift();
    return next ? Promise.resolve(next()) : Promise.reject(new TypeError("network error"));
  });
  return calls;
}

async function read(signal = new AbortController().signal): Promise<ChatEvent["event"][]> {
  const names: ChatEvent["event"][] = [];
  for await (const event of chat({ message: "?" }, signal, [0, 0])) names.push(event.event);
  return names;
}

afterEach(() => vi.unstubAllGlobals());

test("an answer goes on after the last event, wherever its connection broke", async () => {
  for (let cut = 1; cut < EVENTS.length; cut++) {
    for (const broken of [true, false]) {
      const calls = server(() => answer(EVENTS.slice(0, cut), broken), () => answer(EVENTS.slice(cut)));
      expect(await read()).toEqual(["started", "text", "text", "done"]);
      expect(calls).toEqual([["POST v1/chat", null], ["GET v1/chat/r%201", String(cut)]]);
    }
  }
});

test("a server that is away for a moment is asked again, and not without end", async () => {
  server(() => answer(EVENTS.slice(0, 2)), () => new Response(null, { status: 503 }), () => answer(EVENTS.slice(2)));
  expect(await read()).toEqual(["started", "text", "text", "done"]);
  const calls = server(() => answer(EVENTS.slice(0, 2)));
  await expect(read()).rejects.toThrow("Is the server running?");
  expect(calls.length).toBe(3);
});

test("a run that is not kept ends without its end, and what never began is not asked for", async () => {
  server(() => answer(EVENTS.slice(0, 2)), () => new Response(null, { status: 404 }));
  expect(await read()).toEqual(["started", "text"]);
  const calls = server(() => answer([]));
  expect(await read()).toEqual([]);
  expect(calls.length).toBe(1);
});

test("stopping stops the model", async () => {
  const controller = new AbortController();
  const calls = server(() => answer(EVENTS.slice(0, 2)), () => new Response("{}"));
  const events = chat({ message: "?" }, controller.signal, [0]);
  await events.next();
  controller.abort();
  expect(calls.at(-1)).toEqual(["POST v1/chat/r%201/stop", null]);
});
