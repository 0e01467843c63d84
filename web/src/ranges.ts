// UTF-8 byte ranges of the wire, turned into UTF-16 offsets of a JavaScript string.

export type Range = [start: number, end: number];

/** The pages of a place as people say it; nothing where its file has none. */
export function paged(pages: Range | undefined): string {
  if (!pages) return "";
  return pages[0] === pages[1] ? `page ${pages[0]}` : `pages ${pages[0]}–${pages[1]}`;
}

export interface Piece {
  text: string;
  marked: boolean;
}

/** The string offset of a byte offset; one inside a character goes back to its start, one past the end to the end. */
export function fromBytes(text: string, bytes: number): number {
  if (bytes <= 0) return 0;
  // A string of n units has at most 3n bytes, which bounds the buffer against a wild offset.
  const room = new Uint8Array(Math.min(bytes, text.length * 3));
  return new TextEncoder().encodeInto(text, room).read;
}

export function rangeFromBytes(text: string, range: Range): Range {
  const start = fromBytes(text, range[0]);
  return [start, Math.max(start, fromBytes(text, range[1]))];
}

/** Pieces that begin shortly before the first mark, so that a short view of them shows it. */
export function excerpt(all: Piece[]): Piece[] {
  const [first, second] = all;
  if (!first || first.marked || !second || first.text.length <= 120) return all;
  const tail = first.text.slice(-70);
  return [{ text: `… ${tail.slice(tail.search(/\s/) + 1)}`, marked: false }, ...all.slice(1)];
}

/** Cuts a text into marked and plain pieces. Ranges may come unsorted and may overlap. */
export function pieces(text: string, ranges: Range[]): Piece[] {
  const sorted = ranges.map((range) => rangeFromBytes(text, range)).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const found: Piece[] = [];
  let at = 0;
  for (const [start, end] of sorted) {
    const from = Math.max(start, at);
    if (end <= from) continue;
    if (from > at) found.push({ text: text.slice(at, from), marked: false });
    found.push({ text: text.slice(from, end), marked: true });
    at = end;
  }
  if (at < text.length) found.push({ text: text.slice(at), marked: false });
  return found;
}
