import { expect, test } from "vitest";
import { doubtful, doubts } from "./doubts";
import type { SentenceCheck } from "./wire";

const check = (range: [number, number], more: Partial<SentenceCheck>): SentenceCheck => ({ answer_range: range, state: "unsupported", ...more });

test("what is wrong with a sentence is said in words", () => {
  expect(doubtful(check([0, 1], { reason: "numbers", lacking: ["31", "5"] }))).toBe("the passages do not say 31, 5 there.");
  expect(doubtful(check([0, 1], { reason: "citation", found_in: 2 }))).toBe("the cited passage does not say it; passage 2 does.");
  expect(doubtful(check([0, 1], { reason: "words" }))).toBe("the passages do not say it.");
});

test("only sentences that nothing supports are listed, without their marks", () => {
  const text = "Größe ist 4 [1]. Fünf Tage .";
  const found = doubts(text, [{ answer_range: [0, 18], state: "supported" }, check([19, 31], { reason: "negation" })]);
  expect(found).toEqual([{ words: "Fünf Tage.", why: "the passages say the opposite." }]);
});
