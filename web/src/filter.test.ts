import { expect, test } from "vitest";
import { parseCondition, toFilter } from "./filter";

function check(typed: string[], expected: unknown) {
  const conditions = typed.map(parseCondition).filter((one) => one !== undefined);
  expect(toFilter(conditions)).toEqual(expected);
}

test("conditions become the filter object of the wire", () => {
  check([], undefined);
  check(["nonsense"], undefined);
  check(["department=hr"], { department: "hr" });
  check(["department=hr", "department=it"], { department: ["hr", "it"] });
  check(["date>=2024", "date<2025", "kind=policy"], { date: { gte: "2024", lt: "2025" }, kind: "policy" });
  check(["date=2024", "date<2025"], { and: [{ date: "2024" }, { date: { lt: "2025" } }] });
});
