// The asking view: the thread of turns and the box below it.
import { useEffect, useMemo, useRef, useState } from "react";
import { Answer } from "./Answer";
import { EXAMPLES } from "./examples";
import { Rose } from "./Icons";
import type { Cited } from "./SourcePane";
import type { useChat } from "./useChat";
import type { Collection, Route } from "./wire";

interface Props {
  chat: ReturnType<typeof useChat>;
  routes: Route[];
  collections: Collection[];
  onSource: (cited: Cited) => void;
}

export function Chat({ chat, routes, collections, onSource }: Props) {
  const [text, setText] = useState("");
  const [route, setRoute] = useState("");
  const [collection, setCollection] = useState("");
  const thread = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLTextAreaElement>(null);
  const models = useMemo(() => new Set(routes.filter((one) => one.kind === "gateway").map((one) => one.name)), [routes]);
  const chosen = route || routes.find((one) => one.default)?.name || "";

  useEffect(() => {
    // The new question goes to the top once; after that the reader scrolls, not the page.
    const last = thread.current?.querySelector(".turn:last-child");
    last?.scrollIntoView({ block: "start" });
  }, [chat.turns.length, chat.id]);

  const ask = (question: string) => {
    if (!question.trim() || chat.busy) return;
    setText("");
    const place = collection || home(collections);
    box.current?.focus();
    void chat.ask(question.trim(), { ...(chosen && { route: chosen }), ...(place && { collection: place }) });
  };

  return (
    <div className="view">
      <div className="thread" ref={thread} role="region" aria-label="Conversation" tabIndex={0}>
        {chat.problem && <p className="banner bad" role="alert"><strong>{chat.problem.title}</strong> {chat.problem.detail}</p>}
        {chat.turns.length === 0 ? <Empty onAsk={ask} /> : chat.turns.map((turn) => (
          <Answer key={turn.key} turn={turn} written={models.has(turn.route ?? "")} busy={chat.busy} onSource={onSource} onRetry={ask} />
        ))}
      </div>
      <form className="composer" onSubmit={(event) => { event.preventDefault(); ask(text); }}>
        <div className="field">
          <label className="unseen" htmlFor="box">Your question</label>
          <textarea id="box" ref={box} rows={1} value={text} placeholder="Ask your documents" aria-describedby="keys"
            onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
              event.preventDefault();
              ask(text);
            }} />
          {chat.busy
            ? <button type="button" className="primary stop" onClick={chat.stop}>Stop</button>
            : <button type="submit" className="primary" disabled={!text.trim()}>Ask</button>}
        </div>
        <div className="options">
          <label>Route <select value={chosen} onChange={(event) => setRoute(event.target.value)}>
            {routes.length === 0 && <option value="">default</option>}
            {routes.map((one) => (
              <option key={one.name} value={one.name} disabled={!one.available} title={one.description}>
                {one.available ? one.name : `${one.name} (${one.reason ?? "not available"})`}
              </option>
            ))}
          </select></label>
          {collections.length > 1 && <CollectionSelect value={collection} collections={collections} onChange={setCollection} />}
          <span id="keys" className="keys"><kbd>/</kbd> box <kbd>Enter</kbd> ask <kbd>Shift Enter</kbd> new line</span>
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

function Empty({ onAsk }: { onAsk: (question: string) => void }) {
  return (
    <section className="empty" aria-labelledby="welcome">
      <Rose size={112} />
      <h2 id="welcome">Where do you want to go?</h2>
      <p>Ask your documents. Every answer carries numbered marks; each one opens its source at the very words it rests on.</p>
      <ul className="examples" aria-label="Example questions">
        {EXAMPLES.map((question) => (
          <li key={question}><button type="button" onClick={() => onAsk(question)}>{question}</button></li>
        ))}
      </ul>
    </section>
  );
}
