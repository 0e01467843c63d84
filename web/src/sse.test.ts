import { expect, test } from "vitest";
import { frameReader, frames, type Frame } from "./sse";

const bytes = (text: string) => new TextEncoder().encode(text);

function check(stream: string, expected: Frame[]) {
  const whole = bytes(stream);
  for (let cut = 0; cut <= whole.length; cut++) {
    const read = frameReader();
    expect([...read(whole.slice(0, cut)), ...read(whole.slice(cut))], `cut at ${cut}`).toEqual(expected);
  }
  const read = frameReader();
  expect([...whole].flatMap((byte) => read(Uint8Array.of(byte)))).toEqual(expected);
}

test("a frame may be cut at any byte, inside a character too", () => {
  check('id: 1\nevent: text\ndata: {"delta":"Größe ⚓ 🧭"}\n\nid: 2\nevent: done\ndata: {}\n\n', [
    { id: "1", event: "text", data: '{"delta":"Größe ⚓ 🧭"}' },
    { id: "2", event: "done", data: "{}" },
  ]);
});

test("all three line ends are read, cut in the middle too", () => {
  check("data: a\r\ndata: b\r\n\r\ndata: c\r\rdata:d\n\n", [
    { id: "", event: "message", data: "a\nb" },
    { id: "", event: "message", data: "c" },
    { id: "", event: "message", data: "d" },
  ]);
});

test("comments and frames without data give nothing", () => {
  check(": keep-alive\n\nevent: text\n\ndata: x\n\n", [{ id: "", event: "message", data: "x" }]);
});

test("an unfinished last frame is dropped", () => {
  check("data: x\n\ndata: y\n", [{ id: "", event: "message", data: "x" }]);
});

test("leaving a stream early cancels it", async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(bytes("data: 1\n\ndata: 2\n\n")),
    cancel: () => void (cancelled = true),
  });
  for await (const frame of frames(body)) {
    expect(frame.data).toBe("1");
    break;
  }
  expect(cancelled).toBe(true);
});
