import { expect, test } from "vitest";
import { examples } from "./examples";

const card = (title: string, uri = title) => ({ title, uri });

test("an empty page asks about documents that are there", () => {
  expect(examples([])).toEqual([]);
  expect(examples([card("shift_work"), card("a"), card("Sick leave")])).toEqual(["What does “Sick leave” say?"]);
  const many = Array.from({ length: 9 }, (_, at) => card(`Policy ${at}`));
  expect(examples(many)).toEqual(["What does “Policy 0” say?", "What does “Policy 3” say?", "What does “Policy 6” say?"]);
  expect(examples([...many, card("Annual leave", "handbook/annual-leave.md")])[0]).toContain("annual leave");
});
