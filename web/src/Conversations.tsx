// The list of conversations: new, open, delete.
import { useState } from "react";
import type { ConversationHead } from "./wire";

/** More than these are looked for by name. */
const MANY = 12;

interface Props {
  heads: ConversationHead[];
  current: string | undefined;
  onOpen: (id: string) => void;
  onDelete: (id: string) => void;
  onNew: () => void;
}

export function Conversations({ heads, current, onOpen, onDelete, onNew }: Props) {
  const [sure, setSure] = useState<string>();
  const [wanted, setWanted] = useState("");
  const found = heads.filter((head) => head.title.toLowerCase().includes(wanted.trim().toLowerCase()));
  return (
    <nav className="conversations" aria-label="Conversation list">
      <button type="button" className="new" onClick={onNew}><span aria-hidden="true">+</span> New conversation</button>
      {heads.length === 0 && <p className="hint">Your conversations will be listed here.</p>}
      {heads.length > MANY && <input type="search" aria-label="Find a conversation" placeholder="Find a conversation" value={wanted} onChange={(event) => setWanted(event.target.value)} />}
      {heads.length > 0 && found.length === 0 && <p className="hint" role="status">No conversation of that name.</p>}
      <ul>
        {found.map((head) => (
          <li key={head.id} className={head.id === current ? "current" : ""}>
            <button type="button" className="open" dir="auto" title={head.title} aria-current={head.id === current ? "true" : undefined} onClick={() => onOpen(head.id)}>
              {head.title || "Untitled"}
            </button>
            <button type="button" className={`delete${sure === head.id ? " sure" : ""}`}
              aria-label={sure === head.id ? `Really delete ${head.title}` : `Delete ${head.title}`}
              onBlur={() => setSure(undefined)}
              onClick={() => (sure === head.id ? onDelete(head.id) : setSure(head.id))}>
              {sure === head.id ? "Delete?" : "✕"}
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}
