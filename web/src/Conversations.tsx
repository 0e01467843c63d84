// The list of conversations: new, open, delete.
import { useState } from "react";
import type { ConversationHead } from "./wire";

interface Props {
  heads: ConversationHead[];
  current: string | undefined;
  onOpen: (id: string) => void;
  onDelete: (id: string) => void;
  onNew: () => void;
}

export function Conversations({ heads, current, onOpen, onDelete, onNew }: Props) {
  const [sure, setSure] = useState<string>();
  return (
    <nav className="conversations" aria-label="Conversation list">
      <button type="button" className="new" onClick={onNew}><span aria-hidden="true">+</span> New conversation</button>
      {heads.length === 0 && <p className="hint">Your conversations will be listed here.</p>}
      <ul>
        {heads.map((head) => (
          <li key={head.id} className={head.id === current ? "current" : ""}>
            <button type="button" className="open" aria-current={head.id === current ? "true" : undefined} onClick={() => onOpen(head.id)}>
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
