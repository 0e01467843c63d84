// One turn: the question, the answer with its marks, the verdict, the sources, and what went wrong.
import { lazy, memo, Suspense, useDeferredValue, useMemo } from "react";
import { marks, withoutHalfMark } from "./marks";
import { PassageList } from "./PassageList";
import { Plain } from "./Plain";
import type { Cited } from "./source";
import { isRunning, type Turn } from "./turn";
import type { Usage, Verdict } from "./wire";

const Markdown = lazy(() => import("./Markdown"));

interface Props {
  turn: Turn;
  /** Whether a model wrote it. Anything else is shown as it stands. */
  written: boolean;
  busy: boolean;
  onSource: (cited: Cited) => void;
  onRetry: (question: string) => void;
}

export const Answer = memo(function Answer({ turn, written, busy, onSource, onRetry }: Props) {
  const running = isRunning(turn);
  // Parsing Markdown may lag behind the stream; typing and scrolling may not.
  const shown = useDeferredValue(turn);
  const found = useMemo(() => marks(shown.text, shown.citations), [shown.text, shown.citations]);
  const text = running ? withoutHalfMark(shown.text, found) : shown.text;
  const plain = <Plain text={text} marks={found} onSource={onSource} />;
  const incomplete = turn.state === "failed" || turn.state === "stopped" || turn.state === "incomplete";
  const declined = turn.verdict?.verdict === "declined";
  return (
    <article className="turn" aria-label={turn.question}>
      <h2 className="question">{turn.question}</h2>
      <div className="answer" aria-busy={running}>
        {turn.state === "waiting" && <p className="waiting"><span className="needle" aria-hidden="true" />{waiting(turn)}</p>}
        {text && (written ? <Suspense fallback={plain}><Markdown text={text} marks={found} onSource={onSource} /></Suspense> : plain)}
        {turn.cut && <p className="incomplete">Cut: the model reached its limit here, so the answer may lack its end.</p>}
        {incomplete && <p className="incomplete">{turn.text ? "Incomplete: the answer ends here." : "No answer was given."}</p>}
      </div>
      {turn.state === "failed" && (
        <div className="banner bad">
          <p><strong>{turn.problem?.title}</strong> {turn.problem?.detail}</p>
          {turn.retry && <button type="button" disabled={busy} onClick={() => onRetry(turn.question)}>Try again</button>}
        </div>
      )}
      {(turn.state === "stopped" || turn.state === "incomplete") && (
        <p className="after"><button type="button" disabled={busy} onClick={() => onRetry(turn.question)}>Ask again</button></p>
      )}
      {turn.verdict && <VerdictBanner verdict={turn.verdict} onSource={onSource} />}
      {!running && !declined && turn.sources.length > 0 && (
        <section className="sources" aria-label="Sources">
          <h3>Sources</h3>
          <PassageList passages={cited(turn)} onSource={onSource} />
        </section>
      )}
      {!running && <p className="facts">{facts(turn.route, turn.usage)}</p>}
    </article>
  );
});

const waiting = (turn: Turn) =>
  turn.sources.length > 0 ? `Reading ${turn.sources.length} passages` : "Looking through your documents";

/** The passages that the answer rests on come first; without citations all are listed. */
function cited(turn: Turn) {
  const numbers = new Set(turn.citations.map((one) => one.number));
  return numbers.size > 0 ? turn.sources.filter((one) => numbers.has(one.number)) : turn.sources;
}

function VerdictBanner({ verdict, onSource }: { verdict: Verdict; onSource: (cited: Cited) => void }) {
  if (verdict.verdict === "answered") return null;
  const nearest = verdict.nearest ?? [];
  const missing = verdict.missing ?? [];
  return (
    <section className={`banner ${verdict.verdict}`} aria-label="How well the documents answer this">
      <p>
        <strong>{verdict.verdict === "declined" ? "Your documents do not answer this." : "Your documents answer only a part of this."}</strong>
        {missing.length > 0 && <> Not found: {missing.join(", ")}.</>}
      </p>
      {nearest.length > 0 && <>
        <p className="hint">The nearest passages:</p>
        <PassageList passages={nearest} onSource={onSource} />
      </>}
    </section>
  );
}

function facts(route: string | undefined, usage: Usage | undefined): string {
  const words: string[] = [];
  if (route) words.push(route);
  if (usage?.model && usage.model !== route) words.push(usage.model);
  const tokens = (usage?.tokens_in ?? 0) + (usage?.tokens_out ?? 0);
  if (tokens > 0) words.push(`${usage?.estimated ? "about " : ""}${tokens} tokens`);
  if (usage?.time_to_first_token_ms != null) words.push(`first word after ${Math.round(usage.time_to_first_token_ms)} ms`);
  if (usage?.cost_usd) words.push(`$${usage.cost_usd.toFixed(4)}`);
  return words.join(" · ");
}
