import { expect, test } from "vitest";
import { tangled } from "./tangled";

test("a text that would hold up the page is seen, a long one is not", () => {
  const check = (text: string, expected: boolean) => expect(tangled(text), text.slice(0, 40)).toBe(expected);
  check("*a_ ".repeat(1000), true);
  check("> ".repeat(60) + "x", true);
  check("x\n" + "- ".repeat(60) + "x", true);
  check("**Bold** and *italic*, again and again.\n\n".repeat(2000), false);
  check("  ".repeat(500) + "code", false);
  check("| **a** | *b* |\n".repeat(200), false);
  check("-".repeat(500), false);
});
