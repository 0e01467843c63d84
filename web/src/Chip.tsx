// The numbered button in an answer that opens its source.
import type { Cited } from "./source";
import type { Citation } from "./wire";

export function Chip({ citation, onSource }: { citation: Citation; onSource: (cited: Cited) => void }) {
  const { number, checked } = citation;
  return (
    <button type="button" className={checked ? "chip" : "chip unchecked"} title={citation.quote || undefined}
      aria-label={`Source ${number}: ${citation.title ?? ""}${checked ? "" : ", not checked"}`} onClick={() => onSource(toCited(citation))}>
      {number}
    </button>
  );
}

export function toCited(citation: Citation): Cited {
  return {
    number: citation.number,
    document: citation.document,
    collection: citation.collection ?? "",
    title: citation.title ?? "",
    uri: citation.uri ?? "",
    range: citation.source_range ?? [0, 0],
    quote: citation.quote ?? "",
    checked: citation.checked,
    ...(citation.version !== undefined && { version: citation.version }),
    ...(citation.removed && { removed: true }),
  };
}
