// The source of a citation: the stored text, scrolled to the cited words. Beside the answer where there is room, a
// modal sheet where there is not.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import * as api from "./api";
import { fromBytes, rangeFromBytes, type Range } from "./ranges";
import { open, type Cited, type Opened } from "./source";
import { sentence } from "./Trouble";
import type { Problem, SourceText } from "./wire";

const LOST: Problem = { title: "The source could not be loaded", detail: "Close this and try again." };

export function SourcePane({ cited, modal, onClose }: { cited: Cited; modal: boolean; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [opened, setOpened] = useState<Opened>();
  const [problem, setProblem] = useState<Problem>();

  useEffect(() => {
    const element = dialog.current;
    if (modal) element?.showModal();
    else element?.show();
    return () => element?.close();
  }, [modal]);

  useEffect(() => {
    const controller = new AbortController();
    open(cited, controller.signal).then(setOpened, (error: unknown) => {
      if (!controller.signal.aborted) setProblem(error instanceof api.Refused ? error.problem : LOST);
    });
    return () => controller.abort();
  }, [cited]);

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || document.querySelector("dialog.help[open]")) return;
      event.preventDefault();
      onClose();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [onClose]);

  return (
    <dialog ref={dialog} className="pane" aria-labelledby="pane-title" onCancel={onClose}>
      <div className="head">
        <div>
          <h2 id="pane-title">{cited.number !== undefined && <span className="number">{cited.number}</span>}{cited.title || cited.uri}</h2>
          <p className="path">{cited.uri}</p>
        </div>
        <button type="button" className="icon" aria-label="Close the source" onClick={onClose}>✕</button>
      </div>
      {cited.quote && <blockquote className="quote">{cited.quote}</blockquote>}
      {cited.checked !== undefined && !cited.removed && <p className="check">{cited.checked ? "✓ These words were found in the source when the answer was written." : "This citation could not be checked against the source."}</p>}
      <div className="body" role="region" aria-label="Source text" tabIndex={0}>
        {opened?.changed && <p className="banner partial" role="status">
          <strong>This source has changed since the answer.</strong> {opened.range[1] > 0 ? "The cited words still stand in its present text." : "Its present text no longer holds the cited words as they were."}
        </p>}
        {opened && <Text source={opened.source} range={opened.range} />}
        {!opened && !problem && <p className="hint">Opening the source</p>}
        {problem && <p className="banner bad" role="alert">
          <strong>{problem.status === 404 || cited.removed ? "This source has been removed" : problem.title}</strong> {sentence(problem.detail)}
        </p>}
      </div>
    </dialog>
  );
}

function Text({ source, range }: { source: SourceText; range: Range }) {
  const mark = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    const body = mark.current?.closest(".body");
    if (!mark.current || !body) return;
    const offset = mark.current.getBoundingClientRect().top - body.getBoundingClientRect().top;
    body.scrollTop += offset - body.clientHeight / 3;
  }, []);
  const [start, end] = rangeFromBytes(source.text, range);
  const heads = (source.headings ?? []).map((heading) => fromBytes(source.text, heading.start));
  return (
    <div className="document">
      <Lines text={source.text} from={0} to={start} heads={heads} />
      {end > start && <mark id="cited" ref={mark}>{source.text.slice(start, end)}</mark>}
      <Lines text={source.text} from={end} to={source.text.length} heads={heads} />
    </div>
  );
}

/** A stretch of the text with its heading lines set apart; the characters stay as they are stored. */
function Lines({ text, from, to, heads }: { text: string; from: number; to: number; heads: number[] }) {
  const parts: React.ReactNode[] = [];
  let at = from;
  for (const head of heads) {
    if (head < at || head >= to) continue;
    const stop = text.indexOf("\n", head);
    const end = Math.min(stop < 0 ? to : stop, to);
    const signs = /^#{1,6} /.exec(text.slice(head, end))?.[0].length ?? 0;
    parts.push(
      text.slice(at, head),
      <strong key={head}><span className="signs">{text.slice(head, head + signs)}</span>{text.slice(head + signs, end)}</strong>,
    );
    at = end;
  }
  return <>{parts}{text.slice(at, to)}</>;
}
