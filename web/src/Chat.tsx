// The asking view: the thread of turns and the box below it.
import { useEffect, useMemo, useRef, useState } from "react";
import { Answer, prepare } from "./Answer";
import { Empty } from "./Empty";
import { Trouble } from "./Trouble";
import type { Cited } from "./source";
import type { useChat } from "./useChat";
import type { Collection, Route } from "./wire";

interface Props {
  chat: ReturnType<typeof useChat>;
  routes: Route[];
  /** Undefined until they are known. */
  collections: Collection[] | undefined;
  draft: [string, (text: string) => void];
  onSource: (cited: Cited) => void;
}

export function Chat({ chat, routes, collections, draft: [text, setText], onSource }: Props) {
  const [route, setRoute] = useState("");
  const [collection, setCollection] = useState("");
  const thread = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLTextAreaElement>(null);
  const chosen = routes.find((one) => (route ? one.name === route : one.default));
  const models = useMemo(() => new Set(routes.filter((one) => one.kind === "gateway").map((one) => one.name)), [routes]);
  const place = collection || home(collections ?? []);
  const nothing = collections?.every((one) => one.documents === 0);

  useEffect(() => {
    // The new question goes to the top once; after that the reader scrolls, not the page.
    const last = thread.current?.querySelector(".turn:last-of-type");
    last?.scrollIntoView({ block: "start" });
  }, [chat.turns.length, chat.id]);

  useEffect(() => {
    if (routes.some((one) => one.kind === "gateway" && one.available)) prepare().catch(() => undefined);
  }, [routes]);

  const { busy, stop } = chat;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented && busy && !document.querySelector("dialog[open]")) stop();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [busy, stop]);

  const ask = (question: string) => {
    if (!question.trim() || chat.busy) return;
    setText("");
    // Where a finger types, a focused box would bring up the keyboard and cover the answer.
    if (matchMedia("(pointer: coarse)").matches) box.current?.blur();
    else box.current?.focus();
    void chat.ask(question.trim(), { ...(chosen && { route: chosen.name }), ...(place && { collection: place }) });
  };
  const edit = (question: string) => {
    setText(question);
    box.current?.focus();
  };

  return (
    <div className="view">
      <div className="thread" ref={thread} role="region" aria-label="Conversation" tabIndex={0}>
        {chat.problem && <Trouble problem={chat.problem} />}
        {chat.turns.length === 0 && !chat.problem && <Empty collection={nothing ? null : collections && place} onAsk={ask} />}
        {chat.turns.map((turn) => (
          <Answer key={turn.key} turn={turn} written={models.has(turn.route ?? "")} busy={chat.busy} onSource={onSource} onRetry={ask} onEdit={edit} />
        ))}
      </div>
      {chat.behind && !chat.busy && chat.id !== undefined && (
        <p className="behind" role="status">This conversation went on in another tab. <button type="button" onClick={() => void chat.open(chat.id ?? "")}>Show all of it</button></p>
      )}
      <form className="composer" onSubmit={(event) => { event.preventDefault(); ask(text); }}>
        <div className="field">
          <label className="unseen" htmlFor="box">Your question</label>
          <textarea id="box" ref={box} dir="auto" rows={1} value={text} placeholder="Ask your documents"
            onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "ArrowUp" && !text) setText(chat.turns.at(-1)?.question ?? "");
              if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
              event.preventDefault();
              ask(text);
            }} />
          {chat.busy
            ? <button type="button" className="primary stop" onClick={chat.stop}>Stop</button>
            : <button type="submit" className="primary" disabled={!text.trim()}>Ask</button>}
        </div>
        <div className="options">
          {routes.length > 0 && <label>Answered by <select value={chosen?.name} onChange={(event) => setRoute(event.target.value)}>
            {routes.map((one) => (
              <option key={one.name} value={one.name} disabled={!one.available}>
                {one.available ? one.name : `${one.name} (${one.reason ?? "not available"})`}
              </option>
            ))}
          </select></label>}
          {(collections?.length ?? 0) > 1 && <CollectionSelect value={collection} collections={collections ?? []} onChange={setCollection} />}
          <span className="about">{chosen?.description}</span>
        </div>
      </form>
    </div>
  );
}

/** Where to look when nothing is chosen: the server's default, or the first collection where that one is absent. */
export function home(collections: Collection[]): string {
  if (collections.length === 0 || collections.some((one) => one.name === "default")) return "";
  return collections[0]?.name ?? "";
}

export function CollectionSelect({ value, collections, onChange }: { value: string; collections: Collection[]; onChange: (name: string) => void }) {
  return (
    <label>In <select value={value || home(collections) || "default"} onChange={(event) => onChange(event.target.value)}>
      {collections.map((one) => <option key={one.name} value={one.name}>{one.name} ({one.documents})</option>)}
    </select></label>
  );
}
