import { expect, test } from "vitest";
import { marks, marksOf, sentences, withoutHalfMark } from "./marks";
import type { Citation } from "./wire";

const citation = (number: number, end: number): Citation => ({
  number, answer_range: [0, end], document: "d", source_range: [0, 1], quote: "", checked: true, title: "", uri: "", collection: "c",
});

test("a mark stands behind the words that are cited, and nothing else is one", () => {
  const check = (text: string, citations: Citation[], expected: number[]) =>
    expect(marks(text, citations).map((mark) => mark.start), text).toEqual(expected);
  check("Größe [1]. Zwei [1].", [citation(1, 7), citation(1, 17)], [6, 16]);
  check("Both [1] [2]", [citation(1, 4), citation(2, 4)], [5, 9]);
  check("So it is. **[1]**", [citation(1, 9)], [12]);
  check("See [7].", [], []);
  check("items[1] is set. Use items[1]. [1]", [citation(1, 16)], [31]);
  check("One. Two items[1] more", [citation(1, 4)], []);
  check("One", [citation(1, 3), citation(2, 900)], []);
});

test("a sentence that nothing supports has a sign behind it", () => {
  const doubt = { answer_range: [11, 24] as [number, number], state: "unsupported" as const };
  const found = marksOf("Größe [1]. Zwei Tage sind.", [citation(1, 7)], [{ ...doubt, answer_range: [0, 11], state: "supported" }, doubt]);
  expect(found.map((mark) => [mark.start, "doubt" in mark])).toEqual([[6, false], [22, true]]);
});

test("a mark is hidden until its citation is here", () => {
  expect(withoutHalfMark("So it is [1")).toBe("So it is");
  expect(withoutHalfMark("So it is [1]")).toBe("So it is");
  expect(withoutHalfMark("So it is [1]", marks("So it is [1]", [citation(1, 8)]))).toBe("So it is [1]");
});

test("only whole sentences are announced until the answer is finished", () => {
  const check = (text: string, finished: boolean, expected: string[]) => expect(sentences(text, finished)).toEqual(expected);
  check("One is 2.5 m [1]. Two", false, ["One is 2.5 m."]);
  check("One is 2.5 m [1]. Two", true, ["One is 2.5 m.", "Two"]);
  check("On", false, []);
  check("**Bold** words!\n- item", true, ["Bold words!", "- item"]);
});
