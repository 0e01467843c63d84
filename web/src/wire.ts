// The shapes of the HTTP interface that the page reads. Nothing here runs.
import type { Range } from "./ranges";

export interface Passage {
  id: string;
  collection: string;
  document: string;
  version?: string | number;
  title: string;
  uri: string;
  heading_path: string[];
  text: string;
  span: Range;
  /** The first and the last page that it stands on, where the file has pages. */
  pages?: Range;
  highlights?: Range[];
  scores?: Record<string, number>;
  metadata?: Record<string, unknown>;
  title_highlights?: Range[];
  group?: { total: number; more: Passage[] };
}
export interface Source extends Passage {
  number: number;
}
export interface Citation {
  number: number;
  answer_range: Range;
  document: string;
  version?: string | number;
  source_range: Range | null;
  pages?: Range;
  quote: string | null;
  checked: boolean;
  title?: string | null;
  uri?: string | null;
  collection?: string | null;
  removed?: boolean;
}
export interface Verdict {
  verdict: "answered" | "partial" | "declined";
  missing?: string[];
  nearest?: Passage[];
  sentences?: SentenceCheck[] | null;
  conflicts?: Conflict[];
}
/** Sources that contradict each other: first what the answer rests on. */
export interface Conflict {
  answer_range: Range;
  sides: { number: number; source_range: Range; quote: string; date: string | null }[];
}
/** What became of a sentence of the answer when it was held against the passages. */
export interface SentenceCheck {
  answer_range: Range;
  state: "supported" | "plain" | "unsupported";
  reason?: "numbers" | "dates" | "names" | "negation" | "citation" | "words";
  /** What of it the passages do not have. */
  lacking?: string[];
  /** Numbers that the model wrote and that were taken out. */
  removed?: number[];
  /** The passage that says it, which it does not cite. */
  found_in?: number;
}
/** A passage that was found and that the model did not see whole. */
export interface LeftOut {
  id: string;
  title: string;
  uri: string;
  reason: "same" | "room" | "cut";
  number?: number | null;
}
/** Tokens of each part of what the model saw. */
export interface Ledger {
  window: number;
  system: number;
  memory: number;
  evidence: number;
  question: number;
  answer: number;
  estimated: boolean;
}
export interface Usage {
  tokens_in?: number | null;
  tokens_out?: number | null;
  estimated?: boolean;
  cost_usd?: number | null;
  time_to_first_token_ms?: number | null;
  model?: string | null;
}
export interface Problem {
  title: string;
  status?: number;
  detail?: string;
  errors?: { pointer: string; detail: string }[];
}
export interface Started {
  run: string;
  conversation: string;
  message: string;
  route: string;
  reason?: string;
  question?: string;
}
export type ChatEvent =
  | { event: "started"; data: Started }
  | { event: "sources"; data: { passages: Source[]; left_out?: LeftOut[]; ledger?: Ledger | null } }
  | { event: "text"; data: { delta: string } }
  | { event: "citation"; data: Citation }
  | { event: "verdict"; data: Verdict }
  | { event: "usage"; data: Usage }
  | { event: "done"; data: { finish_reason: string } }
  | { event: "failed"; data: { problem: Problem; retry: boolean } };

export interface Route {
  name: string;
  description: string;
  kind: string;
  default: boolean;
  available: boolean;
  reason?: string | null;
}
export interface Collection {
  name: string;
  documents: number;
  chunks: number;
  /** Whether it opens; one that does not can be neither searched nor asked. */
  available: boolean;
}
export interface ConversationHead {
  id: string;
  title: string;
  updated_at?: string | number;
}
export interface Message {
  id: string;
  role: "user" | "assistant";
  text: string;
  state?: "complete" | "incomplete";
  route?: string | null;
  verdict?: Verdict | Verdict["verdict"] | null;
  sources?: Source[] | null;
  citations?: Citation[] | null;
  sentences?: SentenceCheck[] | null;
  usage?: Usage | null;
  problem?: string | null;
}
export interface SearchAnswer {
  results: Passage[];
  total: number;
  total_relation: "exact" | "at_least";
  facets?: Facets | undefined;
  degraded: string[];
  took_ms: number;
}
/** Values of each metadata field with the number of matching documents. */
export type Facets = Record<string, { value: string | number | boolean; count: number }[]>;
export interface Completion {
  text: string;
  kind: "title" | "heading" | "phrase";
  documents: number;
}
export interface DocumentCard {
  uri: string;
  title: string;
}
export interface SourceText {
  id: string;
  uri: string;
  title: string;
  version?: string | number;
  text: string;
  headings?: { level: number; title: string; start: number }[];
}
