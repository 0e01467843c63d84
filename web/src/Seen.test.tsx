import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { Conflicts, Seen } from "./Seen";
import { newTurn } from "./turn";

const read = (html: string) => html.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim();

test("what the model saw and what was left out is told", () => {
  expect(renderToStaticMarkup(<Seen turn={newTurn("k", "Q")} />)).toBe("");
  const ledger = { window: 8192, system: 100, memory: 0, evidence: 900, question: 9, answer: 1024, estimated: true };
  const leftOut = [{ id: "a", title: "Leave", uri: "l", reason: "same" as const, number: 1 }, { id: "b", title: "Pay", uri: "p", reason: "room" as const }];
  const told = read(renderToStaticMarkup(<Seen turn={{ ...newTurn("k", "Q"), ledger, leftOut }} />));
  expect(told).toContain("and 2 passages it did not see whole");
  expect(told).toContain("About 100 tokens of instructions, 0 of the conversation, 900 of passages");
  expect(told).toContain("Leave: says what passage 1 says.");
  expect(told).toContain("Pay: there was no room for it.");
});

test("sources that differ stand side by side with their dates", () => {
  const side = (number: number, quote: string, date: string | null) => ({ number, quote, date, source_range: [0, 1] as [number, number] });
  const conflicts = [{ answer_range: [0, 1] as [number, number], sides: [side(1, "145 EUR", "2025-04-01"), side(2, "110 EUR", null)] }];
  const told = read(renderToStaticMarkup(<Conflicts conflicts={conflicts} sources={[]} />));
  expect(told).toContain("“145 EUR” 1 passage 1, 2025-04-01");
  expect(told).toContain("“110 EUR” 2 passage 2");
});
