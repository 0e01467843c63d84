// An answer as it stands, with its chips: sentences of documents are shown letter by letter, never read as Markdown.
import { Placed } from "./Chip";
import { lastWord, type Mark } from "./marks";
import type { Cited } from "./source";

export interface PlainProps {
  text: string;
  marks: Mark[];
  onSource: (cited: Cited) => void;
}

export function Plain({ text, marks, onSource }: PlainProps) {
  const starts = [0, ...marks.map((mark) => mark.end)];
  return (
    <div className="plain">
      {starts.map((start, index) => {
        const mark = marks[index];
        const [rest, word] = mark ? lastWord(text.slice(start, mark.start)) : [text.slice(start), ""];
        return <span key={index}>{rest}{mark && <span className="held">{word}<Placed mark={mark} onSource={onSource} /></span>}</span>;
      })}
    </div>
  );
}
