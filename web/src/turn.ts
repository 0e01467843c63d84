// One question with its answer, and how the events of a stream change it.
import type { ChatEvent, Citation, Ledger, LeftOut, Message, Problem, Source, Usage, Verdict } from "./wire";

export interface Turn {
  key: string;
  question: string;
  text: string;
  sources: Source[];
  citations: Citation[];
  leftOut?: LeftOut[];
  ledger?: Ledger;
  state: "waiting" | "streaming" | "done" | "stopped" | "failed" | "incomplete";
  route?: string;
  verdict?: Verdict;
  usage?: Usage;
  /** The model reached its limit before the answer was finished. */
  cut?: boolean;
  problem?: Problem;
  /** Why a stored answer is incomplete. */
  reason?: string;
  retry: boolean;
}

/** Whether asking the same again may help: not where the question itself was refused. */
export const mayRetry = ({ status }: Problem) => status === undefined || status === 408 || status === 429 || status >= 500;

export const isRunning = (turn: Turn | undefined) => turn?.state === "waiting" || turn?.state === "streaming";

export function newTurn(key: string, question: string): Turn {
  return { key, question, text: "", sources: [], citations: [], state: "waiting", retry: false };
}

export function apply(turn: Turn, { event, data }: ChatEvent): Turn {
  switch (event) {
    case "started":
      return { ...turn, route: data.route };
    case "sources":
      return { ...turn, sources: data.passages, leftOut: data.left_out ?? [], ...(data.ledger && { ledger: data.ledger }) };
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

/** The turns of a stored conversation: each question with its own answer. Two may have been asked at once, and then
    answers do not follow their questions. Ids grow with time and an answer's is given just before its question is
    stored, so its question is the first open one with a greater id; else the last open one. */
export function fromMessages(messages: Message[]): Turn[] {
  const turns: Turn[] = [];
  const open: Turn[] = [];
  for (const message of messages) {
    if (message.role === "user") {
      const asked: Turn = { ...newTurn(message.id, message.text), state: "incomplete" };
      turns.push(asked);
      open.push(asked);
      continue;
    }
    const own = open.findIndex((one) => one.key > message.id);
    const turn = open.splice(own, 1)[0];
    if (!turn) continue;
    turn.text = message.text;
    turn.sources = message.sources ?? [];
    turn.citations = message.citations ?? [];
    turn.state = message.state === "incomplete" ? "incomplete" : "done";
    if (message.problem) turn.reason = message.problem;
    if (message.route) turn.route = message.route;
    if (message.usage) turn.usage = message.usage;
    if (message.verdict) turn.verdict = typeof message.verdict === "string" ? { verdict: message.verdict } : message.verdict;
    if (turn.verdict && message.sentences) turn.verdict.sentences = message.sentences;
  }
  return turns;
}
