import { expect, test } from "vitest";
import { apply, close, fromMessages, mayRetry, newTurn } from "./turn";
import type { ChatEvent } from "./wire";

const play = (events: ChatEvent[]) => close(events.reduce(apply, newTurn("k", "Q?")));

test("a whole stream gives a finished turn", () => {
  const turn = play([
    { event: "text", data: { delta: "Yes " } },
    { event: "text", data: { delta: "[1]." } },
    { event: "done", data: { finish_reason: "stop" } },
  ]);
  expect(turn).toMatchObject({ state: "done", text: "Yes [1]." });
});

test("an answer that ends at the model's limit is not whole", () => {
  const end = (finish_reason: string) => play([{ event: "text", data: { delta: "Half" } }, { event: "done", data: { finish_reason } }]);
  expect(end("length")).toMatchObject({ state: "done", cut: true });
  expect(end("stop").cut).toBeUndefined();
});

test("a stream that only ends has failed, and keeps what came", () => {
  const turn = play([{ event: "text", data: { delta: "Half" } }]);
  expect(turn).toMatchObject({ state: "failed", text: "Half", retry: true });
});

test("a failure shows the server's problem and no retry where none makes sense", () => {
  const problem = { title: "Too long", detail: "shorten it" };
  expect(play([{ event: "failed", data: { problem, retry: false } }])).toMatchObject({ state: "failed", problem, retry: false });
});

test("an unknown event changes nothing", () => {
  expect(apply(newTurn("k", "Q"), { event: "new", data: {} } as unknown as ChatEvent)).toEqual(newTurn("k", "Q"));
});

test("two questions asked at once keep their own answers", () => {
  const user = (id: string) => ({ id, role: "user" as const, text: `Q${id}` });
  const answer = (id: string, to: string) => ({ id, role: "assistant" as const, text: `A${to}`, state: "complete" as const });
  const check = (...messages: Parameters<typeof fromMessages>[0]) => fromMessages(messages).map((turn) => turn.text);
  expect(check(user("02"), user("04"), answer("03", "04"), answer("01", "02"))).toEqual(["A02", "A04"]);
  expect(check(user("02"), user("04"), answer("01", "02"), answer("03", "04"))).toEqual(["A02", "A04"]);
  expect(check(user("02"), user("04"), answer("03", "04"))).toEqual(["", "A04"]);
});

test("a retry is offered where it may help", () => {
  expect([undefined, 429, 500, 503].map((status) => mayRetry({ title: "", ...(status && { status }) }))).toEqual([true, true, true, true]);
  expect([400, 401, 404, 413].map((status) => mayRetry({ title: "", status }))).toEqual([false, false, false, false]);
});

test("stored messages become turns, and an unanswered question is incomplete", () => {
  const turns = fromMessages([
    { id: "1", role: "user", text: "A?" },
    { id: "2", role: "assistant", text: "B", state: "complete", verdict: "partial" },
    { id: "3", role: "user", text: "C?" },
  ]);
  expect(turns).toMatchObject([
    { question: "A?", text: "B", state: "done", verdict: { verdict: "partial" } },
    { question: "C?", text: "", state: "incomplete" },
  ]);
});
