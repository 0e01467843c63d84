// One question with its answer, and how the events of a stream change it.
import type { ChatEvent, Citation, Message, Problem, Source, Usage, Verdict } from "./wire";

export interface Turn {
  key: string;
  question: string;
  text: string;
  sources: Source[];
  citations: Citation[];
  state: "waiting" | "streaming" | "done" | "stopped" | "failed" | "incomplete";
  route?: string;
  verdict?: Verdict;
  usage?: Usage;
  /** The model reached its limit before the answer was finished. */
  cut?: boolean;
  problem?: Problem;
  retry: boolean;
}

export const isRunning = (turn: Turn | undefined) => turn?.state === "waiting" || turn?.state === "streaming";

export function newTurn(key: string, question: string): Turn {
  return { key, question, text: "", sources: [], citations: [], state: "waiting", retry: false };
}

export function apply(turn: Turn, { event, data }: ChatEvent): Turn {
  switch (event) {
    case "started":
      return { ...turn, route: data.route };
    case "sources":
      return { ...turn, sources: data.passages };
    case "text":
      return { ...turn, state: "streaming", text: turn.text + data.delta };
    case "citation":
      return { ...turn, citations: [...turn.citations, data] };
    case "verdict":
      return { ...turn, verdict: data };
    case "usage":
      return { ...turn, usage: data };
    case "done":
      return { ...turn, state: "done", ...(data.finish_reason === "length" && { cut: true }) };
    case "failed":
      return fail(turn, data.problem, data.retry);
    default:
      return turn; // a newer server may send events that this page does not know
  }
}

export function fail(turn: Turn, problem: Problem, retry: boolean): Turn {
  return { ...turn, state: "failed", problem, retry };
}

/** What a stream that ended leaves behind: without `done` or `failed` it was cut. */
export function close(turn: Turn): Turn {
  if (!isRunning(turn)) return turn;
  return fail(turn, { title: "The answer broke off", detail: "The connection closed before the answer was finished." }, true);
}

/** The turns of a stored conversation: each user message with the answer after it. */
export function fromMessages(messages: Message[]): Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    if (message.role === "user") {
      turns.push({ ...newTurn(message.id, message.text), state: "incomplete" });
      continue;
    }
    const turn = turns.at(-1);
    if (!turn) continue;
    turn.text = message.text;
    turn.sources = message.sources ?? [];
    turn.citations = message.citations ?? [];
    turn.state = message.state === "incomplete" ? "incomplete" : "done";
    if (message.route) turn.route = message.route;
    if (message.usage) turn.usage = message.usage;
    if (message.verdict) turn.verdict = typeof message.verdict === "string" ? { verdict: message.verdict } : message.verdict;
  }
  return turns;
}
