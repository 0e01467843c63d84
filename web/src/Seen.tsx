// What the model saw of what was found, what was left out and why, and where sources contradict each other.
import type { Turn } from "./turn";
import type { Conflict, LeftOut, Ledger, Source } from "./wire";

export function Seen({ turn }: { turn: Turn }) {
  const left = turn.leftOut ?? [];
  if (!turn.ledger && left.length === 0) return null;
  return (
    <details className="group seen">
      <summary>What the model saw{left.length > 0 && `, and ${left.length} ${left.length === 1 ? "passage" : "passages"} it did not see whole`}</summary>
      {turn.ledger && <p className="hint">{spent(turn.ledger)}</p>}
      {left.length > 0 && <ul>{left.map((one) => <li key={one.id}>{one.title}: {why(one)}</li>)}</ul>}
    </details>
  );
}

const spent = ({ window, system, memory, evidence, question, answer, estimated }: Ledger) =>
  `${estimated ? "About " : ""}${system} tokens of instructions, ${memory} of the conversation, ${evidence} of passages, ${question} of the question; ${answer} kept for the answer, of ${window}.`;

export function why({ reason, number }: LeftOut): string {
  if (reason === "same") return `says what passage ${number} says.`;
  return reason === "cut" ? `cut to what answers best, passage ${number}.` : "there was no room for it.";
}

/** Two sources side by side, each with its date. */
export function Conflicts({ conflicts, sources }: { conflicts: Conflict[]; sources: Source[] }) {
  if (conflicts.length === 0) return null;
  const title = (number: number) => sources.find((one) => one.number === number)?.title ?? `passage ${number}`;
  return (
    <section className="banner" aria-label="Where the sources differ">
      <p><strong>The sources differ.</strong></p>
      {conflicts.map(({ sides }, index) => (
        <div className="sides" key={index}>
          {sides.map(({ number, quote, date }) => (
            <blockquote key={number}>“{quote}”<footer><span className="number">{number}</span>{title(number)}{date && `, ${date}`}</footer></blockquote>
          ))}
        </div>
      ))}
    </section>
  );
}
