// The search view: box, mode, filters, and results with their highlights.
import { useRef, useState } from "react";
import * as api from "./api";
import { CollectionSelect, home } from "./Chat";
import { parseCondition, show, toFilter, type Condition } from "./filter";
import { PassageList } from "./PassageList";
import type { Cited } from "./SourcePane";
import type { Collection, Problem, SearchAnswer } from "./wire";

const PAGE = 10;
const MODES = [["hybrid", "Words and meaning"], ["lexical", "Words"], ["vector", "Meaning"]] as const;

export function Search({ collections, onSource }: { collections: Collection[]; onSource: (cited: Cited) => void }) {
  const [query, setQuery] = useState("");
  const [mode, setMode] = useState("hybrid");
  const [collection, setCollection] = useState("");
  const [conditions, setConditions] = useState<Condition[]>([]);
  const [found, setFound] = useState<SearchAnswer>();
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  // The server counts the passages of a page, so a full page is the sign that there may be more.
  const [full, setFull] = useState(false);
  const running = useRef<AbortController>(undefined);

  const run = async (offset: number, change: { mode?: string; conditions?: Condition[]; collection?: string } = {}) => {
    if (!query.trim()) return;
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    const filter = toFilter(change.conditions ?? conditions);
    const name = change.collection ?? (collection || home(collections));
    const request = { query: query.trim(), mode: change.mode ?? mode, limit: PAGE, offset, ...(filter && { filter }), ...(name && { collection: name }) };
    setBusy(true);
    try {
      const answer = await api.search(request, controller.signal);
      setFound((before) => (offset > 0 && before ? { ...answer, results: [...before.results, ...answer.results] } : answer));
      setFull(answer.results.length === PAGE);
      setProblem(undefined);
    } catch (error) {
      if (controller.signal.aborted) return;
      setProblem(error instanceof api.Refused ? error.problem : { title: "The search broke off" });
    }
    setBusy(false);
  };
  const keep = (next: Condition[]) => {
    setConditions(next);
    void run(0, { conditions: next });
  };

  return (
    <div className="view search">
      <form role="search" className="composer" onSubmit={(event) => { event.preventDefault(); void run(0); }}>
        <div className="field">
          <label className="unseen" htmlFor="box">Search your documents</label>
          <input id="box" type="search" value={query} placeholder="Search your documents" autoComplete="off" onChange={(event) => setQuery(event.target.value)} />
          <button type="submit" className="primary" disabled={!query.trim()}>Search</button>
        </div>
        <div className="options">
          <label>By <select value={mode} onChange={(event) => { setMode(event.target.value); void run(0, { mode: event.target.value }); }}>
            {MODES.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
          </select></label>
          {collections.length > 1 && <CollectionSelect value={collection} collections={collections}
            onChange={(name) => { setCollection(name); void run(0, { collection: name }); }} />}
          <Filters conditions={conditions} onChange={keep} />
        </div>
      </form>
      <div className="thread" role="region" aria-label="Results" tabIndex={0} aria-busy={busy}>
        {problem && <div className="banner bad" role="alert"><p><strong>{problem.title}</strong> {problem.detail}</p>
          {problem.errors?.map((one) => <p key={one.pointer}><code>{one.pointer}</code> {one.detail}</p>)}</div>}
        <p className="facts" role="status">{found ? summary(found, full) : "Words in quotes are matched as they stand. A filter is a field and a value, such as department=hr."}</p>
        {found && found.results.length > 0 && <PassageList passages={found.results} onSource={onSource} whole />}
        {found && full &&
          <p className="after"><button type="button" disabled={busy} onClick={() => void run(found.results.length)}>More results</button></p>}
      </div>
    </div>
  );
}

function summary(found: SearchAnswer, full: boolean): string {
  const degraded = found.degraded.length > 0 ? ` · working without ${found.degraded.join(", ")}` : "";
  const count = found.results.length;
  if (count === 0) return `Nothing found. Try other words or fewer filters.${degraded}`;
  return `${full ? `The first ${count}` : count} ${count === 1 ? "passage" : "passages"} in ${Math.max(1, Math.round(found.took_ms))} ms${degraded}`;
}

function Filters({ conditions, onChange }: { conditions: Condition[]; onChange: (next: Condition[]) => void }) {
  const [typed, setTyped] = useState("");
  const [wrong, setWrong] = useState(false);
  const add = () => {
    const condition = parseCondition(typed);
    setWrong(!condition && typed.trim() !== "");
    if (!condition) return;
    onChange([...conditions, condition]);
    setTyped("");
  };
  return (
    <div className="filters">
      <label>Filter <input value={typed} placeholder="field=value" aria-invalid={wrong} aria-describedby={wrong ? "wrong" : undefined}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => { if (event.key === "Enter") { event.preventDefault(); add(); } }} /></label>
      <button type="button" onClick={add}>Add</button>
      {wrong && <span id="wrong" role="alert">Write it as field=value</span>}
      {conditions.map((one, index) => (
        <button type="button" key={`${show(one)}/${index}`} className="filter" aria-label={`Remove the filter ${show(one)}`}
          onClick={() => onChange(conditions.filter((_, other) => other !== index))}>{show(one)} <span aria-hidden="true">✕</span></button>
      ))}
    </div>
  );
}
