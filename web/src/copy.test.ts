import { expect, test } from "vitest";
import { copied } from "./copy";
import { newTurn } from "./turn";
import type { Citation } from "./wire";

const citation = { number: 1, answer_range: [0, 3], document: "d", source_range: [0, 1], quote: "27\ndays", checked: true, title: "Leave", uri: "leave.md" } as Citation;

test("an answer is copied with its sources, each once", () => {
  const turn = { ...newTurn("k", "Q"), text: "Yes [1]. Also [1].", state: "done" as const, citations: [citation, citation] };
  expect(copied(turn)).toBe("Yes [1]. Also [1].\n\nSources\n[1] Leave (leave.md): “27 days”");
});

test("a copied source tells its page where it has one", () => {
  const on = (pages: [number, number]) => copied({ ...newTurn("k", "Q"), text: "Yes [1].", state: "done", citations: [{ ...citation, pages }] }).split("\n").at(-1);
  expect(on([3, 3])).toBe("[1] Leave (leave.md), page 3: “27 days”");
  expect(on([3, 4])).toBe("[1] Leave (leave.md), pages 3–4: “27 days”");
});

test("a copy of a cut answer says that it is one", () => {
  expect(copied({ ...newTurn("k", "Q"), text: "Half", state: "stopped" })).toContain("Incomplete");
  expect(copied({ ...newTurn("k", "Q"), text: "Half", state: "done", cut: true })).toContain("Incomplete");
  expect(copied({ ...newTurn("k", "Q"), text: "Whole", state: "done" })).toBe("Whole");
});
