// The state of a search while it is typed: lexical results come first and stay where they are, what is close in meaning
// joins below them. A newer request ends the older one.
import { useRef, useState } from "react";
import * as api from "./api";
import { toFilter, type Condition } from "./filter";
import type { Passage, Problem, SearchAnswer } from "./wire";

const PAGE = 10;
/** Milliseconds without a key before words are looked up, and before their meaning is. */
const WORDS_AFTER = 80;
const MEANING_AFTER = 300;

export interface Asked {
  query: string;
  mode: string;
  collection: string;
  conditions: Condition[];
  order: "" | "asc" | "desc";
  grouped: boolean;
}

/** What is on the screen. `late` joined the first results and is listed below them. */
export interface Shown {
  answer: SearchAnswer;
  first: Passage[];
  late: Passage[];
  offset: number;
}

export function useSearch(home: string) {
  const [asked, setAsked] = useState<Asked>({ query: "", mode: "hybrid", collection: "", conditions: [], order: "", grouped: false });
  const [shown, setShown] = useState<Shown>();
  const [completions, setCompletions] = useState<string[]>([]);
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const running = useRef<AbortController>(undefined);

  /** Runs `steps`; whatever ran before is ended first. */
  const start = async (steps: (signal: AbortSignal) => Promise<void>) => {
    running.current?.abort();
    const { signal } = (running.current = new AbortController());
    setBusy(true);
    try {
      await steps(signal);
      if (!signal.aborted) setProblem(undefined);
    } catch (error) {
      if (signal.aborted) return;
      setProblem(error instanceof api.Refused ? error.problem : { title: "The search broke off" });
    }
    if (!signal.aborted) setBusy(false);
  };

  const fetchPage = (next: Asked, signal: AbortSignal, more: Partial<api.SearchRequest>) => {
    const filter = toFilter(next.conditions);
    const collection = next.collection || home;
    return api.search({
      query: next.query.trim(),
      mode: next.mode,
      limit: PAGE,
      offset: 0,
      facets: ["*"],
      ...(filter && { filter }),
      ...(collection && { collection }),
      ...(next.order && { sort: [{ field: "date", order: next.order }] }),
      ...(next.grouped && { group_by: "document" }),
      ...more,
    }, signal);
  };

  /** The reader wants it now: the best order, whatever is on the screen. */
  const run = (change: Partial<Asked> = {}) => {
    const next = { ...asked, ...change };
    setAsked(next);
    setCompletions([]);
    if (!next.query.trim()) return;
    void start(async (signal) => {
      const answer = await fetchPage(next, signal, {});
      setShown({ answer, first: answer.results, late: [], offset: PAGE });
    });
  };

  /** The reader types on: words first, meaning after a rest. */
  const type = (query: string) => {
    const next = { ...asked, query };
    setAsked(next);
    if (!query.trim()) {
      running.current?.abort();
      setBusy(false);
      setShown(undefined);
      setCompletions([]);
      return;
    }
    void start(async (signal) => {
      await pause(WORDS_AFTER, signal);
      void complete(query, next.collection || home, signal).then(setCompletions, () => undefined);
      const wordsOnly = next.mode === "lexical" || next.order !== "";
      let first: Passage[] = [];
      if (next.mode !== "vector") {
        const answer = await fetchPage(next, signal, { typing: true, ...(!wordsOnly && { mode: "lexical", facets: [] }) });
        first = answer.results;
        setShown((before) => ({ answer: { ...answer, facets: answer.facets ?? before?.answer.facets }, first, late: [], offset: PAGE }));
        if (wordsOnly) return;
      }
      await pause(MEANING_AFTER - WORDS_AFTER, signal);
      const answer = await fetchPage(next, signal, { typing: true });
      setShown({ answer, first, late: join(first, answer.results, next.grouped), offset: PAGE });
    });
  };

  const more = () => {
    if (!shown) return;
    void start(async (signal) => {
      const answer = await fetchPage(asked, signal, { offset: shown.offset, facets: [] });
      const late = join(shown.first, [...shown.late, ...answer.results], asked.grouped);
      setShown({ ...shown, late, offset: shown.offset + PAGE });
    });
  };

  return { asked, shown, completions, problem, busy, run, type, more };
}

/** Those of `late` that are not among `first`, each once: what is on the screen stays where it is. */
export function join(first: Passage[], late: Passage[], grouped: boolean): Passage[] {
  const key = (one: Passage) => `${one.collection}/${grouped ? one.document : one.id}`;
  const seen = new Set(first.map(key));
  return late.filter((one) => !seen.has(key(one)) && seen.add(key(one)));
}

async function complete(query: string, collection: string, signal: AbortSignal): Promise<string[]> {
  const { completions } = await api.suggest(query, collection, signal);
  const typed = query.trim().toLowerCase();
  return completions.map((one) => one.text).filter((text) => text.toLowerCase() !== typed);
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); reject(new DOMException("newer words came", "AbortError")); });
  });
}
