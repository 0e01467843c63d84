// The frame of the page: header, conversations, the two views and the source pane.
import { useCallback, useEffect, useRef, useState } from "react";
import * as api from "./api";
import { Announcer } from "./Announcer";
import { Chat } from "./Chat";
import { Conversations } from "./Conversations";
import { useLoaded, useMedia, useSlash } from "./hooks";
import { Moon, Rose, Sun } from "./Icons";
import { Search } from "./Search";
import { SourcePane, type Cited } from "./SourcePane";
import { isDark, toggleTheme } from "./theme";
import { useChat } from "./useChat";

type View = "ask" | "search";
const viewOf = (hash: string): View => (hash === "#search" ? "search" : "ask");

export function App() {
  const [view, setView] = useState<View>(() => viewOf(location.hash));
  const [cited, setCited] = useState<Cited>();
  const [drawer, setDrawer] = useState(false);
  const opener = useRef<HTMLElement>(undefined);
  const chat = useChat();
  const narrow = useMedia("(max-width: 859px)");
  const routes = useLoaded(api.routes, []);
  const collections = useLoaded(api.collections, []);
  const { refresh } = chat;

  useSlash("#box");
  useEffect(() => void refresh(), [refresh]);
  useEffect(() => {
    const moved = () => setView(viewOf(location.hash));
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);

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
  const toAsk = () => {
    setDrawer(false);
    setCited(undefined);
    location.hash = "#ask";
    requestAnimationFrame(() => document.getElementById("box")?.focus());
  };

  const list = (
    <Conversations
      heads={chat.heads}
      current={chat.id}
      onOpen={(id) => { void chat.open(id); toAsk(); }}
      onDelete={(id) => void chat.remove(id)}
      onNew={() => { chat.fresh(); toAsk(); }}
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
          <a href="#ask" aria-current={view === "ask" ? "page" : undefined}>Ask</a>
          <a href="#search" aria-current={view === "search" ? "page" : undefined}>Search</a>
        </nav>
        <ThemeButton />
      </header>
      {narrow ? <Drawer open={drawer} onClose={() => setDrawer(false)}>{list}</Drawer> : <aside className="side" aria-label="Conversations">{list}</aside>}
      <main>
        {chat.locked && <KeyForm />}
        {view === "ask"
          ? <Chat chat={chat} routes={routes} collections={collections} onSource={openSource} />
          : <Search collections={collections} onSource={openSource} />}
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
      <label htmlFor="key">This service asks for an API key.</label>
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
