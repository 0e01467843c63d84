// The marks [1], [2] of an answer. A mark is one because the server sent a citation for that very place, never because
// the text looks like it: what a document or a model writes stays text.
import { fromBytes } from "./ranges";
import type { Citation, SentenceCheck } from "./wire";

/** What stands at a place of an answer: the source of the words before it, or that there is none. */
export type Mark = { start: number; end: number } & ({ citation: Citation } | { doubt: SentenceCheck });

/** All marks of an answer in their order: those of its citations, and one behind each sentence that nothing supports. */
export function marksOf(text: string, citations: Citation[], sentences: SentenceCheck[]): Mark[] {
  const doubts = sentences.filter((one) => one.state === "unsupported").map((doubt) => {
    const end = fromBytes(text, doubt.answer_range[1]);
    return { start: end, end, doubt };
  });
  return [...marks(text, citations), ...doubts].sort((a, b) => a.start - b.start);
}

/** Where the mark of each citation stands. It follows the cited words with nothing but signs between; the one mark that
    the server puts to an answer without any stands at its end. */
export function marks(text: string, citations: Citation[]) {
  const found: { start: number; end: number; citation: Citation }[] = [];
  let at = 0;
  for (const citation of citations) {
    const written = `[${citation.number}]`;
    const from = Math.max(at, fromBytes(text, citation.answer_range[1]));
    const gap = /^[^\p{Alphabetic}\p{N}]*?(?=\[\d)/u.exec(text.slice(from))?.[0].length ?? 0;
    const last = text.trimEnd().length - written.length;
    const start = text.startsWith(written, from + gap) ? from + gap : last;
    if (start < from || !text.startsWith(written, start)) continue;
    at = start + written.length;
    found.push({ start, end: at, citation });
  }
  return found;
}

/** Hides a mark that is still arriving, or whose citation is, so that "[1" never flashes up as text. */
export function withoutHalfMark(text: string, found: Mark[] = []): string {
  return found.at(-1)?.end === text.length ? text : text.replace(/\s*\[\d{0,3}\]?$/, "");
}

// Two characters that no text may hold stand around a mark's place while Markdown is read. The brackets stay, so that
// the signs beside a mark mean what they mean beside "[1]".
const SEALED = /\[\uE000(\d+)\uE001\]/g;

/** The text with each mark as a seal, which Markdown carries along unread. */
export function seal(text: string, found: Mark[]): string {
  let sealed = "";
  let at = 0;
  for (const [place, mark] of found.entries()) {
    sealed += `${clean(text.slice(at, mark.start))}[\uE000${place}\uE001]`;
    at = mark.end;
  }
  return sealed + clean(text.slice(at));
}
const clean = (text: string) => text.replace(/[\uE000\uE001]/g, "\uFFFD");

/** Cuts off the word before a mark: both stay on one line. */
export function lastWord(before: string): [rest: string, word: string] {
  const word = /\S{1,24} ?$/.exec(before)?.[0] ?? "";
  return [before.slice(0, before.length - word.length), word];
}

/** A sealed text in pieces: strings, and the places of its marks. */
export function unseal(sealed: string): (string | number)[] {
  return sealed.split(SEALED).map((piece, index) => (index % 2 === 1 ? Number(piece) : piece)).filter((piece) => piece !== "");
}

/** The whole sentences of a growing answer, without marks and Markdown signs; the last one only once it is finished. */
export function sentences(text: string, finished: boolean): string[] {
  const plain = text.replace(/\[\d{1,3}\]/g, "").replace(/[*_`#>|]+/g, "");
  const found = plain.match(/[^.!?\n]+(?:[.!?](?!\s|$)[^.!?\n]*)*(?:[.!?]+(?=\s|$)|\n|$)/g) ?? [];
  const whole = finished ? found : found.slice(0, -1);
  return whole.map((one) => one.replace(/\s+([.!?,])/g, "$1").trim()).filter((one) => /\w/.test(one));
}
