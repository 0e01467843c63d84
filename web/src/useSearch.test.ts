import { expect, test } from "vitest";
import { join } from "./useSearch";
import type { Passage } from "./wire";

const passage = (id: string, document: string, collection = "default") => ({ id, document, collection }) as Passage;
const ids = (list: Passage[]) => list.map((one) => one.id);

test("what joins late is not on the screen already", () => {
  const first = [passage("a", "1"), passage("b", "2")];
  const late = [passage("c", "1"), passage("b", "2"), passage("d", "3"), passage("d", "3"), passage("a", "1", "other")];
  expect(ids(join(first, late, false))).toEqual(["c", "d", "a"]);
  expect(ids(join(first, late, true))).toEqual(["d", "a"]);
  expect(join([], [], false)).toEqual([]);
});
