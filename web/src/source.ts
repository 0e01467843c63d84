// Opens the text that a citation points at, also when the document has changed since.
import * as api from "./api";
import type { Range } from "./ranges";
import type { SourceText } from "./wire";

export interface Cited extends api.Place {
  title: string;
  uri: string;
  range: Range;
  number?: number;
  quote?: string;
  checked?: boolean;
  removed?: boolean;
}

export interface Opened {
  source: SourceText;
  /** Bytes of the text; empty where the cited words are no longer there. */
  range: Range;
  changed: boolean;
}

/** Only the present version is stored: when the cited one is gone, the document itself tells changed from removed. */
export async function open(cited: Cited, signal: AbortSignal): Promise<Opened> {
  try {
    return { source: await api.source(cited, signal), range: cited.range, changed: false };
  } catch (error) {
    const gone = error instanceof api.Refused && error.problem.status === 404;
    if (!gone || cited.version === undefined) throw error;
  }
  const source = await api.source({ document: cited.document, collection: cited.collection }, signal);
  return { source, range: find(source.text, cited.quote ?? ""), changed: true };
}

function find(text: string, quote: string): Range {
  const at = quote ? text.indexOf(quote) : -1;
  if (at < 0) return [0, 0];
  const bytes = (part: string) => new TextEncoder().encode(part).length;
  const start = bytes(text.slice(0, at));
  return [start, start + bytes(quote)];
}
