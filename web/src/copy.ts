// An answer as plain text with its sources, to be put somewhere else.
import { paged } from "./ranges";
import type { Turn } from "./turn";

export function copied({ text, citations, cut, state }: Turn): string {
  const lines = [text.trim()];
  if (cut || state !== "done") lines.push("", "(Incomplete: the answer breaks off here.)");
  const sources = citations.map(({ number, title, uri, quote, pages }) => `[${number}] ${title || uri || "a removed document"}${title && uri ? ` (${uri})` : ""}${pages ? `, ${paged(pages)}` : ""}${quote ? `: “${quote.replace(/\s+/g, " ")}”` : ""}`);
  if (sources.length > 0) lines.push("", "Sources", ...new Set(sources));
  return lines.join("\n");
}
