// Tells a screen reader whole sentences of the answer as they are finished, never single tokens.
import { isRunning, type Turn } from "./turn";
import { sentences } from "./marks";

export function Announcer({ turn }: { turn: Turn | undefined }) {
  // A stored conversation is read in place; only answers given now are announced.
  const live = turn?.key.startsWith("new-") ? turn : undefined;
  return (
    <div className="unseen" role="log" aria-live="polite" aria-label="Answer as it arrives">
      {live && sentences(live.text, !isRunning(live)).map((one, index) => <p key={`${live.key}/${index}`}>{one}</p>)}
      {live && <p key={`${live.key}/${live.state}`}>{note(live)}</p>}
    </div>
  );
}

function note(turn: Turn): string {
  switch (turn.state) {
    case "waiting":
      return "Looking through your documents.";
    case "stopped":
      return "Stopped. The answer is incomplete.";
    case "failed":
      return turn.text ? "The answer is incomplete." : ""; // what went wrong is an alert of its own
    case "done":
      return turn.sources.length > 0 ? `Answer finished, ${turn.sources.length} sources.` : "Answer finished.";
    default:
      return "";
  }
}
