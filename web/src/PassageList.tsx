// Passages as a list: numbered sources, nearest passages, search results.
import { toCited as citedBy } from "./Chip";
import { excerpt, paged, pieces, type Range } from "./ranges";
import type { Cited } from "./source";
import type { Citation, Passage, Source } from "./wire";

function Marked({ text, ranges }: { text: string; ranges: Range[] }) {
  return pieces(text, ranges).map((piece, index) => (piece.marked ? <mark key={index}>{piece.text}</mark> : piece.text));
}

const more = ({ total, more }: { total: number; more: Passage[] }) => {
  const rest = total - 1;
  return rest === more.length ? `${rest} more in this document` : `The best ${more.length} of ${rest} more in this document`;
};

export function Highlighted({ text, ranges }: { text: string; ranges: Range[] }) {
  return excerpt(pieces(text, ranges)).map((piece, index) => (piece.marked ? <mark key={index}>{piece.text}</mark> : piece.text));
}

interface Props {
  passages: (Passage | Source)[];
  onSource: (cited: Cited) => void;
  /** Where given, a passage shows the words that these quote of it. */
  citations?: Citation[];
  /** Without the words themselves. */
  bare?: boolean;
  whole?: boolean;
}

export function PassageList({ passages, onSource, citations = [], bare = false, whole = false }: Props) {
  return (
    <ol className={whole ? "passages whole" : "passages"}>
      {passages.map((passage) => {
        const number = "number" in passage ? passage.number : undefined;
        const own = citations.filter((one) => one.number === number && one.quote);
        const place = own[0] ? citedBy(own[0]) : toCited(passage);
        const { text, ranges } = body(passage);
        return (
          <li key={`${passage.id}/${number ?? ""}`}>
            <button type="button" className="title" onClick={() => onSource(place)}>
              {number !== undefined && <span className="number">{number}</span>}
              <span dir="auto">{passage.title ? <Marked text={passage.title} ranges={passage.title_highlights ?? []} /> : passage.uri}</span>
            </button>
            <p className="path">{[...passage.heading_path.filter((one) => one !== passage.title), paged(own[0]?.pages ?? passage.pages)].filter(Boolean).join(" › ")}</p>
            {bare && <p className="path">{passage.uri}</p>}
            {!bare && (own.length > 0
              ? [...new Set(own.map((one) => one.quote))].map((quote) => <p key={quote} className="snippet">“{quote}”</p>)
              : <p className="snippet"><Highlighted text={text} ranges={ranges} /></p>)}
            {passage.group && passage.group.more.length > 0 && (
              <details className="group">
                <summary>{more(passage.group)}</summary>
                <PassageList passages={passage.group.more} onSource={onSource} />
              </details>
            )}
          </li>
        );
      })}
    </ol>
  );
}

/** The text without a first line that only says again what stands above it. */
export function body({ text, highlights = [], title, heading_path }: Pick<Passage, "text" | "highlights" | "title" | "heading_path">): { text: string; ranges: Range[] } {
  const line = /^[^\n]*\n\s*/.exec(text)?.[0];
  const head = line?.replace(/^#+ /, "").trim();
  if (!line || line.length === text.length || (head !== title && head !== heading_path.at(-1))) return { text, ranges: highlights };
  const cut = new TextEncoder().encode(line).length;
  return { text: text.slice(line.length), ranges: highlights.filter(([, end]) => end > cut).map(([start, end]) => [Math.max(0, start - cut), end - cut]) };
}

function toCited(passage: Passage | Source): Cited {
  return {
    document: passage.document,
    collection: passage.collection,
    title: passage.title,
    uri: passage.uri,
    range: passage.span,
    ...(passage.version !== undefined && { version: passage.version }),
    ...("number" in passage && { number: passage.number }),
  };
}
