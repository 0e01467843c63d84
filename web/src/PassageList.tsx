// Passages as a list: numbered sources, nearest passages, search results.
import { excerpt, pieces, type Range } from "./ranges";
import type { Cited } from "./SourcePane";
import type { Passage, Source } from "./wire";

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
  whole?: boolean;
}

export function PassageList({ passages, onSource, whole = false }: Props) {
  return (
    <ol className={whole ? "passages whole" : "passages"}>
      {passages.map((passage) => {
        const number = "number" in passage ? passage.number : undefined;
        return (
          <li key={`${passage.id}/${number ?? ""}`}>
            <button type="button" className="title" onClick={() => onSource(toCited(passage))}>
              {number !== undefined && <span className="number">{number}</span>}
              <span>{passage.title ? <Marked text={passage.title} ranges={passage.title_highlights ?? []} /> : passage.uri}</span>
            </button>
            <p className="path">{passage.heading_path.filter((one) => one !== passage.title).join(" › ")}</p>
            <p className="snippet"><Highlighted text={passage.text} ranges={passage.highlights ?? []} /></p>
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
