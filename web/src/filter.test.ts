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
  check(["date>=2024-01", "date<2025-01", "kind=policy"], { date: { gte: "2024-01", lt: "2025-01" }, kind: "policy" });
  check(["date=2024-01", "date<2025-01"], { and: [{ date: "2024-01" }, { date: { lt: "2025-01" } }] });
});

test("a value that was clicked means itself", () => {
  const clicked = (value: number | boolean) => toFilter([{ field: "n", operator: "=", value }]);
  expect([clicked(42), clicked(true)]).toEqual([{ n: 42 }, { n: true }]);
});

test("a number or a truth value matches as such too", () => {
  check(["n=42"], { n: ["42", 42] });
  check(["n=-1.5", "n=x"], { n: ["-1.5", -1.5, "x"] });
  check(["draft=true"], { draft: ["true", true] });
  check(["n=007"], { n: ["007", 7] });
  check(["n=12345678901234567890"], { n: "12345678901234567890" });
  check(["n=0x10"], { n: "0x10" });
  check(["n>=2024", "n<2025.5"], { or: [{ n: { gte: "2024", lt: "2025.5" } }, { n: { gte: 2024, lt: 2025.5 } }] });
  check(["n>=2024", "n<x"], { n: { gte: "2024", lt: "x" } });
  check(["n>1", "m<2"], { and: [
    { or: [{ n: { gt: "1" } }, { n: { gt: 1 } }] },
    { or: [{ m: { lt: "2" } }, { m: { lt: 2 } }] },
  ] });
});
