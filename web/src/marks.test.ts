import { expect, test } from "vitest";
import { sentences, targets, withoutHalfMark } from "./marks";
import type { Citation } from "./wire";

const citation = (number: number, end: number, quote: string): Citation => ({
  number, answer_range: [0, end], document: "d", source_range: [0, 1], quote, checked: true, title: "", uri: "", collection: "c",
});

test("two marks of one number find their own citations, behind wide characters too", () => {
  const found = targets({ text: "Größe [1]. Zwei [1].", citations: [citation(1, 7, "first"), citation(1, 17, "second")], sources: [] });
  expect(found.get("1/0")?.citation?.quote).toBe("first");
  expect(found.get("1/1")?.citation?.quote).toBe("second");
});

test("a mark without citation or source stays text", () => {
  expect(targets({ text: "See [7].", citations: [], sources: [] }).size).toBe(0);
});

test("a half mark is hidden, a whole one is not", () => {
  expect(withoutHalfMark("So it is [1")).toBe("So it is");
  expect(withoutHalfMark("So it is [1]")).toBe("So it is [1]");
});

test("only whole sentences are announced until the answer is finished", () => {
  const check = (text: string, finished: boolean, expected: string[]) => expect(sentences(text, finished)).toEqual(expected);
  check("One is 2.5 m [1]. Two", false, ["One is 2.5 m."]);
  check("One is 2.5 m [1]. Two", true, ["One is 2.5 m.", "Two"]);
  check("On", false, []);
  check("**Bold** words!\n- item", true, ["Bold words!", "- item"]);
});
