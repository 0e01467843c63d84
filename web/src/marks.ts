// The marks [1], [2] of an answer: which citation each belongs to, and what is read aloud without them.
import { fromBytes } from "./ranges";
import type { Turn } from "./turn";
import type { Citation, Source } from "./wire";

export const MARK = /\[(\d{1,3})\]/g;

export interface Target {
  number: number;
  citation?: Citation;
  source?: Source;
}

/** The mark at `[number]`, counted by occurrence of that number: `targets.get("1/0")` is the first [1]. */
export type Targets = Map<string, Target>;

export function targets(turn: Pick<Turn, "text" | "citations" | "sources">): Targets {
  const found: Targets = new Map();
  const seen = new Map<number, number>();
  const ends = turn.citations.map((citation) => ({ citation, end: fromBytes(turn.text, citation.answer_range[1]) }));
  for (const match of turn.text.matchAll(MARK)) {
    const number = Number(match[1]);
    const occurrence = seen.get(number) ?? 0;
    seen.set(number, occurrence + 1);
    const citation = nearest(ends.filter((one) => one.citation.number === number), match.index);
    const source = turn.sources.find((one) => one.number === number);
    if (!citation && !source) continue;
    found.set(`${number}/${occurrence}`, { number, ...(citation && { citation }), ...(source && { source }) });
  }
  return found;
}

/** A citation's answer range ends before its mark, so the last one that ends there is the mark's own. */
function nearest(ends: { citation: Citation; end: number }[], mark: number): Citation | undefined {
  let best: { citation: Citation; end: number } | undefined;
  for (const one of ends) {
    if (one.end <= mark && (!best || one.end >= best.end)) best = one;
  }
  return (best ?? ends[0])?.citation;
}

/** Hides a mark that is still arriving, so that "[1" never flashes up as text. */
export const withoutHalfMark = (text: string) => text.replace(/\s*\[\d{0,3}$/, "");

/** The whole sentences of a growing answer, without marks and Markdown signs; the last one only once it is finished. */
export function sentences(text: string, finished: boolean): string[] {
  const plain = text.replace(MARK, "").replace(/[*_`#>|]+/g, "");
  const found = plain.match(/[^.!?\n]+(?:[.!?](?!\s|$)[^.!?\n]*)*(?:[.!?]+(?=\s|$)|\n|$)/g) ?? [];
  const whole = finished ? found : found.slice(0, -1);
  return whole.map((one) => one.replace(/\s+([.!?,])/g, "$1").trim()).filter((one) => /\w/.test(one));
}
