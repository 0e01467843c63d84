// The search view: box with completions, mode, order, filters, facets, and results with their highlights.
import { useState } from "react";
import { CollectionSelect } from "./Chat";
import { parseCondition, show, type Condition } from "./filter";
import { PassageList } from "./PassageList";
import { Refine } from "./Refine";
import { useMedia } from "./hooks";
import type { Cited } from "./source";
import { Trouble } from "./Trouble";
import type { Asked, Shown, useSearch } from "./useSearch";
import type { Collection } from "./wire";

const MODES = [["hybrid", "Words and meaning"], ["lexical", "Words"], ["vector", "Meaning"]] as const;
const HINT = "Words in “quotes” are matched as they stand.";
const ORDERS = [["", "Best match"], ["desc", "Newest first"], ["asc", "Oldest first"]] as const;

interface Props {
  search: ReturnType<typeof useSearch>;
  collections: Collection[];
  onSource: (cited: Cited) => void;
}

export function Search({ search, collections, onSource }: Props) {
  const { asked, shown, completions, problem, busy, run, type, more } = search;
  const wide = useMedia("(min-width: 860px)");
  const filterBox = <FilterBox onAdd={(one) => run({ conditions: [...asked.conditions, one] })} />;
  const left = shown !== undefined && (shown.offset < shown.answer.total || shown.answer.total_relation === "at_least");
  return (
    <div className="view search">
      <form role="search" className="composer" onSubmit={(event) => { event.preventDefault(); run(); }}>
        <div className="field">
          <label className="unseen" htmlFor="box">Search your documents</label>
          <input id="box" type="search" value={asked.query} placeholder="Search your documents" autoComplete="off" onChange={(event) => type(event.target.value)} />
          <button type="submit" className="primary" disabled={!asked.query.trim()}>Search</button>
        </div>
        <div className="completions" role="group" aria-label="Completions">
          {completions.map((text) => <button type="button" key={text} onClick={() => run({ query: text })}>{text}</button>)}
          {completions.length === 0 && <p className="hint">{HINT}</p>}
        </div>
        <details className="choices" open={wide}>
          <summary>Order and filters</summary>
          <div className="options">
            <Choice name="By" value={asked.mode} choices={MODES} onChange={(mode) => run({ mode })} />
            <Choice name="Order" value={asked.order} choices={ORDERS} onChange={(order) => run({ order })} />
            <label><input type="checkbox" checked={asked.grouped} onChange={(event) => run({ grouped: event.target.checked })} /> One result a document</label>
            {collections.length > 1 && <CollectionSelect value={asked.collection} collections={collections} onChange={(collection) => run({ collection })} />}
            {!wide && filterBox}
          </div>
        </details>
        <div className="options">
          {wide && filterBox}
          <Filters conditions={asked.conditions} onChange={(conditions) => run({ conditions })} />
          <Refine facets={shown?.answer.facets ?? {}} conditions={asked.conditions} onPick={(one) => run({ conditions: [...asked.conditions, one] })} />
        </div>
      </form>
      <div className="thread" role="region" aria-label="Results" tabIndex={0} aria-busy={busy}>
        {problem && <Trouble problem={problem} />}
        {problem && <p className="after"><button type="button" disabled={busy} onClick={() => run()}>Try again</button></p>}
        <p className="facts" role="status">{shown && !problem ? summary(shown, asked) : ""}{busy && !shown ? "Searching" : ""}{!busy && !shown && !problem ? "Results come while you type." : ""}</p>
        {shown && shown.first.length > 0 && <PassageList passages={shown.first} onSource={onSource} whole />}
        {shown && shown.late.length > 0 && <PassageList passages={shown.late} onSource={onSource} whole />}
        {left && <p className="after"><button type="button" disabled={busy} onClick={() => more()}>{busy ? "Searching" : "More results"}</button></p>}
      </div>
    </div>
  );
}

interface ChoiceProps<T extends string> {
  name: string;
  value: T | string;
  choices: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
}

function Choice<T extends string>({ name, value, choices, onChange }: ChoiceProps<T>) {
  return (
    <label>{name} <select value={value} onChange={(event) => onChange(event.target.value as T)}>
      {choices.map(([one, text]) => <option key={one} value={one}>{text}</option>)}
    </select></label>
  );
}

function summary({ answer, first, late }: Shown, { grouped }: Asked): string {
  const degraded = answer.degraded.length > 0 ? ` · working without ${answer.degraded.join(", ")}` : "";
  if (first.length + late.length === 0) return `Nothing found. Try other words or fewer filters.${degraded}`;
  const things = grouped ? ["document", "documents"] : ["passage", "passages"];
  const count = Math.max(answer.total, first.length + late.length);
  const exact = answer.total_relation === "exact" ? "" : "At least ";
  return `${exact}${count.toLocaleString("en")} ${things[count === 1 ? 0 : 1]} in ${Math.max(1, Math.round(answer.took_ms))} ms${degraded}`;
}

function FilterBox({ onAdd }: { onAdd: (condition: Condition) => void }) {
  const [typed, setTyped] = useState("");
  const [wrong, setWrong] = useState(false);
  const add = () => {
    const condition = parseCondition(typed);
    setWrong(!condition && typed.trim() !== "");
    if (!condition) return;
    onAdd(condition);
    setTyped("");
  };
  return (
    <div className="filters">
      <label>Filter <input value={typed} placeholder="department=hr" aria-invalid={wrong} aria-describedby={wrong ? "wrong" : undefined}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => { if (event.key === "Enter") { event.preventDefault(); add(); } }} /></label>
      <button type="button" onClick={add}>Add</button>
      {wrong && <span id="wrong" role="alert">Write it as field=value</span>}
    </div>
  );
}

function Filters({ conditions, onChange }: { conditions: Condition[]; onChange: (next: Condition[]) => void }) {
  return (
    <div className="filters">
      {conditions.map((one, index) => (
        <button type="button" key={`${show(one)}/${index}`} className="filter" aria-label={`Remove the filter ${show(one)}`}
          onClick={() => onChange(conditions.filter((_, other) => other !== index))}>{show(one)} <span aria-hidden="true">✕</span></button>
      ))}
    </div>
  );
}
