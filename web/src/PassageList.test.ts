import { expect, test } from "vitest";
import { body } from "./PassageList";
import { pieces } from "./ranges";

test("a first line that repeats the heading is left out, and the marks stay on their words", () => {
  const check = (text: string, title: string, expected: string) => {
    const at = new TextEncoder().encode(text.slice(0, text.indexOf("tide"))).length;
    const { text: shown, ranges } = body({ text, title, heading_path: ["Große Häfen"], highlights: [[0, 2], [at, at + 4]] });
    expect(shown).toBe(expected);
    expect(pieces(shown, ranges).filter((piece) => piece.marked).map((piece) => piece.text)).toContain("tide");
  };
  check("## Große Häfen\n\nThe tide", "T", "The tide");
  check("T\nThe tide", "T", "The tide");
  check("Other\nThe tide", "T", "Other\nThe tide");
  check("T tide", "T", "T tide");
});
