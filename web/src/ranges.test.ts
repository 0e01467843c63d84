import { expect, test } from "vitest";
import { excerpt, fromBytes, pieces, type Range } from "./ranges";

test("every byte offset of a character start gives its string offset", () => {
  const text = "aé⚓🧭z";
  const check = (offset: number, expected: number) => expect(fromBytes(text, offset)).toBe(expected);
  check(0, 0);
  check(1, 1);
  check(3, 2);
  check(6, 3);
  check(10, 5);
  check(11, 6);
});

test("an offset inside a character goes to its start and a wild one to the end", () => {
  expect(fromBytes("é🧭", 1)).toBe(0);
  expect(fromBytes("é🧭", 4)).toBe(1);
  expect(fromBytes("é🧭", 1e12)).toBe(3);
  expect(fromBytes("é", -4)).toBe(0);
});

test("pieces put together are the text, and the marked ones are the ranges", () => {
  const text = "Die Größe zählt";
  const check = (ranges: Range[], marked: string[]) => {
    const found = pieces(text, ranges);
    expect(found.map((piece) => piece.text).join("")).toBe(text);
    expect(found.filter((piece) => piece.marked).map((piece) => piece.text)).toEqual(marked);
  };
  check([], []);
  check([[4, 11]], ["Größe"]);
  check([[12, 18], [0, 3]], ["Die", "zählt"]);
  check([[0, 6], [4, 11]], ["Die Gr", "öße"]);
  check([[4, 4], [90, 99]], []);
});

test("an excerpt begins at a word shortly before the first mark, and a short text stays", () => {
  const plain = (text: string) => ({ text, marked: false });
  const marked = { text: "tide", marked: true };
  expect(excerpt([plain("the "), marked])).toEqual([plain("the "), marked]);
  const [start, next] = excerpt([plain("harbour ".repeat(40)), marked]);
  expect(start?.text).toMatch(/^… (harbour ){8}$/);
  expect(next).toEqual(marked);
  expect(excerpt([plain("x".repeat(500))])).toHaveLength(1);
});
