// The frame of the page: header, conversations, the two views and the source pane.
import { useCallback, useEffect, useRef, useState } from "react";
import * as api from "./api";
import { Announcer } from "./Announcer";
import { Chat, home } from "./Chat";
import { Conversations } from "./Conversations";
import { useLoaded, useMedia, useSlash } from "./hooks";
import { Moon, Rose, Sun } from "./Icons";
import { Keys } from "./Keys";
import { Search } from "./Search";
import type { Cited } from "./source";
import { SourcePane } from "./SourcePane";
import { isDark, toggleTheme } from "./theme";
import { useChat } from "./useChat";
import { useSearch } from "./useSearch";
import type { Collection } from "./wire";

type View = "ask" | "search";
const viewOf = (hash: string): View => (hash === "#search" ? "search" : "ask");
const address = (id: string | undefined) => (id ? `#ask/${encodeURIComponent(id)}` : "#ask");
const idOf = (hash: string) => (hash.startsWith("#ask/") ? decodeURIComponent(hash.slice(5)) : undefined);

export function App() {
  const [view, setView] = useState<View>(() => viewOf(location.hash));
  const [cited, setCited] = useState<Cited>();
  const [drawer, setDrawer] = useState(false);
  const opener = useRef<HTMLElement>(undefined);
  const chat = useChat();
  const narrow = useMedia("(max-width: 859px)");
  const routes = useLoaded(api.routes, []);
  const collections = useLoaded<Collection[] | undefined>(api.collections, undefined);
  const search = useSearch(home(collections ?? []));
  const draft = useState("");
  const { refresh, current, open, fresh, id } = chat;

  useSlash("#box");
  useEffect(() => void refresh(), [refresh]);
  useEffect(() => {
    // The address names the conversation, so that going back, a reload and a bookmark find it.
    const moved = () => {
      setView(viewOf(location.hash));
      const wanted = idOf(location.hash);
      if (viewOf(location.hash) === "search" || wanted === current.current) return;
      if (wanted) void open(wanted);
      else fresh();
    };
    moved();
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, [current, open, fresh]);
  useEffect(() => {
    if (id && viewOf(location.hash) === "ask") history.replaceState(null, "", address(id));
  }, [id]);

  const openSource = useCallback((place: Cited) => {
    opener.current = document.activeElement as HTMLElement;
    setCited(place);
  }, []);
  const closeSource = useCallback(() => {
    setCited(undefined);
    const back = opener.current;
    // The chip may be gone by now, for example after another conversation was opened.
    (back?.isConnected ? back : document.getElementById("box"))?.focus();
  }, []);
  const toAsk = (conversation?: string) => {
    setDrawer(false);
    setCited(undefined);
    if (conversation === undefined) fresh();
    location.hash = address(conversation);
    requestAnimationFrame(() => document.getElementById("box")?.focus());
  };

  const list = (
    <Conversations
      heads={chat.heads}
      current={chat.id}
      onOpen={toAsk}
      onDelete={(gone) => void chat.remove(gone).then(() => {
        if (current.current === undefined && view === "ask") history.replaceState(null, "", address(undefined));
      })}
      onNew={() => toAsk()}
    />
  );
  return (
    <div className={`frame${cited && !narrow ? " with-pane" : ""}`}>
      <a className="skip" href="#box" onClick={(event) => { event.preventDefault(); document.getElementById("box")?.focus(); }}>
        Skip to the question box
      </a>
      <header className="top">
        {narrow && (
          <button type="button" className="icon" aria-label="Conversations" aria-expanded={drawer} onClick={() => setDrawer(true)}>☰</button>
        )}
        <h1 className="brand"><Rose size={30} /> Portolan</h1>
        <nav className="tabs" aria-label="Views">
          <a href={address(id)} aria-current={view === "ask" ? "page" : undefined}>Ask</a>
          <a href="#search" aria-current={view === "search" ? "page" : undefined}>Search</a>
        </nav>
        <Keys />
        <ThemeButton />
      </header>
      {narrow ? <Drawer open={drawer} onClose={() => setDrawer(false)}>{list}</Drawer> : <aside className="side" aria-label="Conversations">{list}</aside>}
      <main>
        {chat.locked && <KeyForm />}
        {view === "ask"
          ? <Chat chat={chat} routes={routes} collections={collections} draft={draft} onSource={openSource} />
          : <Search search={search} collections={collections ?? []} onSource={openSource} />}
      </main>
      {cited && <SourcePane key={JSON.stringify(cited)} cited={cited} modal={narrow} onClose={closeSource} />}
      <Announcer turn={chat.turns.at(-1)} />
    </div>
  );
}

/** For a service with an API key: asks for it and starts again with it. */
function KeyForm() {
  const [key, setKey] = useState("");
  const keep = (event: React.FormEvent) => {
    event.preventDefault();
    api.keepKey(key.trim());
    location.reload();
  };
  return (
    <form className="key" onSubmit={keep}>
      <label htmlFor="key">{api.hasKey() ? "That key was not accepted. The service asks for an API key." : "This service asks for an API key."}</label>
      <input id="key" type="password" autoComplete="off" value={key} onChange={(event) => setKey(event.target.value)} />
      <button type="submit" className="primary" disabled={!key.trim()}>Use it</button>
    </form>
  );
}

function ThemeButton() {
  const [dark, setDark] = useState(isDark);
  return (
    <button type="button" className="icon" aria-pressed={dark} aria-label="Dark colours" onClick={() => setDark(toggleTheme())}>
      {dark ? <Sun /> : <Moon />}
    </button>
  );
}

function Drawer({ open, onClose, children }: { open: boolean; onClose: () => void; children: React.ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} className="drawer" aria-label="Conversations" onClose={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}>
      <div className="side">
        <button type="button" className="icon close" aria-label="Close the list" onClick={onClose}>✕</button>
        {children}
      </div>
    </dialog>
  );
}
