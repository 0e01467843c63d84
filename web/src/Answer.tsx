// One turn: the question, the answer with its marks, the verdict, the sources, and what went wrong.
import { Component, lazy, memo, Suspense, useDeferredValue, useMemo, useState } from "react";
import { copied } from "./copy";
import { doubts } from "./doubts";
import { marksOf, withoutHalfMark } from "./marks";
import { PassageList } from "./PassageList";
import { Plain } from "./Plain";
import { Conflicts, Seen } from "./Seen";
import { sentence, Trouble } from "./Trouble";
import type { Cited } from "./source";
import { tangled } from "./tangled";
import { isRunning, type Turn } from "./turn";
import type { SentenceCheck, Usage, Verdict } from "./wire";

/** Loads what a model's answer needs before the answer is there. */
export const prepare = () => import("./Markdown");
const Markdown = lazy(prepare);

const none: SentenceCheck[] = [];

interface Props {
  turn: Turn;
  /** Whether a model wrote it. Anything else is shown as it stands. */
  written: boolean;
  busy: boolean;
  onSource: (cited: Cited) => void;
  onRetry: (question: string) => void;
  onEdit: (question: string) => void;
}

export const Answer = memo(function Answer({ turn, written, busy, onSource, onRetry, onEdit }: Props) {
  const running = isRunning(turn);
  // Parsing Markdown may lag behind the stream; typing and scrolling may not.
  const shown = useDeferredValue(turn);
  const sentences = shown.verdict?.sentences ?? none;
  const found = useMemo(() => marksOf(shown.text, shown.citations, sentences), [shown.text, shown.citations, sentences]);
  const text = running ? withoutHalfMark(shown.text, found) : shown.text;
  const incomplete = turn.state === "failed" || turn.state === "stopped" || turn.state === "incomplete";
  const declined = turn.verdict?.verdict === "declined";
  const again = incomplete && (turn.state !== "failed" || turn.retry);
  const plain = <Plain text={text} marks={found} onSource={onSource} />;
  return (
    <article className="turn" aria-label={turn.question}>
      <h2 className="question" dir="auto">{turn.question}</h2>
      <div className="answer" dir="auto" aria-busy={running}>
        {turn.state === "waiting" && <p className="waiting"><span className="needle" aria-hidden="true" />{waiting(turn)}</p>}
        {text && (written && !tangled(text) ? <Whole fallback={plain}><Suspense fallback={plain}><Markdown text={text} marks={found} onSource={onSource} /></Suspense></Whole> : <div className="verbatim">{plain}</div>)}
        {turn.state === "streaming" && <p className="waiting"><span className="needle" aria-hidden="true" />Still writing</p>}
        {turn.cut && <p className="incomplete">Cut: the model reached its limit here, so the answer may lack its end.</p>}
        {incomplete && <p className="incomplete">{turn.text ? "Incomplete: the answer breaks off here." : "No answer was given."} {sentence(turn.reason)}</p>}
      </div>
      {turn.state === "failed" && turn.problem && <Trouble problem={turn.problem} />}
      {!running && <Doubts turn={turn} />}
      {!running && <Conflicts conflicts={turn.verdict?.conflicts ?? []} sources={turn.sources} />}
      {turn.verdict && <VerdictBanner verdict={turn.verdict} onSource={onSource} />}
      {!running && !declined && turn.sources.length > 0 && <Sources turn={turn} quoted={written} onSource={onSource} />}
      {!running && (
        <div className="after">
          {again && <button type="button" disabled={busy} onClick={() => onRetry(turn.question)}>Try again</button>}
          {incomplete && !again && <button type="button" onClick={() => onEdit(turn.question)}>Change the question</button>}
          {turn.text && !declined && <Copy turn={turn} />}
          <p className="facts">{facts(turn, written)}</p>
        </div>
      )}
    </article>
  );
});

/** Where Markdown cannot be loaded or read, the answer is shown as it came. */
class Whole extends Component<{ fallback: React.ReactNode; children: React.ReactNode }> {
  override state = { broken: false };
  static getDerivedStateFromError = () => ({ broken: true });
  override render() {
    return this.state.broken ? this.props.fallback : this.props.children;
  }
}

const waiting = (turn: Turn) =>
  turn.sources.length > 0 ? `Reading ${turn.sources.length} passages` : "Looking through your documents";

/** The passages that the answer rests on, with the words it rests on where it does not quote them itself; the others
    are a step away. */
function Sources({ turn, quoted, onSource }: { turn: Turn; quoted: boolean; onSource: (cited: Cited) => void }) {
  const numbers = new Set(turn.citations.map((one) => one.number));
  const cited = turn.sources.filter((one) => numbers.has(one.number));
  const others = turn.sources.filter((one) => !numbers.has(one.number));
  return (
    <section className="sources" aria-label="Sources">
      <h3>Sources</h3>
      {cited.length > 0 && <PassageList passages={cited} citations={turn.citations} bare={!quoted} onSource={onSource} />}
      {others.length > 0 && (
        <details className="group" open={cited.length === 0}>
          <summary>{cited.length > 0 ? `${others.length} more ${others.length === 1 ? "passage was" : "passages were"} looked at` : "What was looked at"}</summary>
          <PassageList passages={others} onSource={onSource} />
        </details>
      )}
      <Seen turn={turn} />
    </section>
  );
}

/** The sentences of a model that its sources do not support: the sign in the text alone says too little on a phone. */
function Doubts({ turn }: { turn: Turn }) {
  const found = doubts(turn.text, turn.verdict?.sentences ?? none);
  if (found.length === 0) return null;
  return (
    <section className="banner bad" aria-label="What the sources do not support">
      <p><strong>{found.length === 1 ? "One sentence is not supported by its sources." : `${found.length} sentences are not supported by their sources.`}</strong></p>
      <ul>{found.map(({ words, why }, index) => <li key={index}>“{words}”: {why}</li>)}</ul>
    </section>
  );
}

function VerdictBanner({ verdict, onSource }: { verdict: Verdict; onSource: (cited: Cited) => void }) {
  if (verdict.verdict === "answered") return null;
  const nearest = verdict.nearest ?? [];
  const missing = (verdict.missing ?? []).join(", ");
  const lead = verdict.verdict === "declined" ? "Nothing in your documents answers this." : "Your documents answer only a part of this.";
  return (
    <section className={`banner ${verdict.verdict}`} aria-label="How well the documents answer this">
      <p><strong>{lead}</strong>{missing && <> Not found: {missing}.</>}</p>
      {nearest.length > 0 && <>
        <p className="hint">The nearest passages:</p>
        <PassageList passages={nearest} onSource={onSource} />
      </>}
    </section>
  );
}

function Copy({ turn }: { turn: Turn }) {
  const [done, setDone] = useState(false);
  // Browsers give the clipboard to pages from this machine or over TLS only.
  if (!navigator.clipboard) return null;
  const copy = () => navigator.clipboard.writeText(copied(turn)).then(() => setDone(true), () => undefined);
  return <button type="button" onClick={() => void copy()} onBlur={() => setDone(false)} aria-live="polite">{done ? "Copied ✓" : turn.citations.length > 0 ? "Copy with sources" : "Copy"}</button>;
}

function facts({ route, usage, verdict }: Turn, written: boolean): string {
  const words: string[] = [];
  if (route) words.push(written || verdict?.verdict === "declined" ? route : `${route}, word for word`);
  if (usage?.model && usage.model !== route) words.push(usage.model);
  words.push(...amounts(usage));
  return words.join(" · ");
}

function amounts(usage: Usage | undefined): string[] {
  const words: string[] = [];
  const tokens = (usage?.tokens_in ?? 0) + (usage?.tokens_out ?? 0);
  if (tokens > 0) words.push(`${usage?.estimated ? "about " : ""}${tokens} tokens`);
  if (usage?.time_to_first_token_ms != null) words.push(`first word after ${Math.max(1, Math.round(usage.time_to_first_token_ms))} ms`);
  if (usage?.cost_usd) words.push(`$${usage.cost_usd.toFixed(4)}`);
  return words;
}
