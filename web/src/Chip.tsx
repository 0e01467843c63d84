// What a mark in an answer becomes: a numbered button that opens its source, or a sign that the words have none.
import { doubtful } from "./doubts";
import type { Mark } from "./marks";
import type { Cited } from "./source";
import type { Citation, SentenceCheck } from "./wire";

export function Placed({ mark, onSource }: { mark: Mark; onSource: (cited: Cited) => void }) {
  return "citation" in mark ? <Chip citation={mark.citation} onSource={onSource} /> : <Doubt check={mark.doubt} />;
}

function Doubt({ check }: { check: SentenceCheck }) {
  const words = `Not supported: ${doubtful(check)}`;
  return <span className="chip doubt" role="img" aria-label={words} title={words}>?</span>;
}

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
