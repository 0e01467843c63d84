// The conversation on screen: asking, stopping, opening a stored one.
import { useCallback, useRef, useState } from "react";
import * as api from "./api";
import { apply, close, fail, fromMessages, isRunning, newTurn, type Turn } from "./turn";
import type { ConversationHead, Problem } from "./wire";

const asProblem = (error: unknown): Problem =>
  error instanceof api.Refused ? error.problem : { title: "The answer broke off", detail: "The connection was lost on the way." };

export interface Choice {
  route?: string;
  collection?: string;
}

export function useChat() {
  const [turns, setTurns] = useState<Turn[]>([]);
  const [id, setId] = useState<string>();
  const [heads, setHeads] = useState<ConversationHead[]>([]);
  const [problem, setProblem] = useState<Problem>();
  const current = useRef<string>(undefined);
  const running = useRef<AbortController>(undefined);
  const count = useRef(0);

  // The list is the first call that needs a key, so it tells whether one is missing.
  const [locked, setLocked] = useState(false);
  const refresh = useCallback(
    () => api.conversations().then(setHeads).catch((error: unknown) => setLocked(asProblem(error).status === 401)),
    [],
  );

  const show = useCallback((conversation: string | undefined, shown: Turn[]) => {
    running.current?.abort();
    current.current = conversation;
    setId(conversation);
    setTurns(shown);
    setProblem(undefined);
  }, []);

  const ask = useCallback(async (question: string, choice: Choice) => {
    const key = `new-${++count.current}`;
    const controller = new AbortController();
    running.current = controller;
    const change = (step: (turn: Turn) => Turn) =>
      setTurns((all) => all.map((turn) => (turn.key === key ? step(turn) : turn)));
    setTurns((all) => [...all, newTurn(key, question)]);
    try {
      const conversation = current.current;
      const events = api.chat({ message: question, ...(conversation && { conversation }), ...choice }, controller.signal);
      for await (const event of events) {
        // A conversation opened meanwhile must not be taken over by this stream.
        if (controller.signal.aborted) break;
        if (event.event === "started") {
          current.current = event.data.conversation;
          setId(event.data.conversation);
        }
        change((turn) => apply(turn, event));
      }
      change((turn) => (controller.signal.aborted && isRunning(turn) ? { ...turn, state: "stopped" } : close(turn)));
    } catch (error) {
      change((turn) => (controller.signal.aborted ? { ...turn, state: "stopped" } : fail(turn, asProblem(error), true)));
    }
    void refresh();
  }, [refresh]);

  const open = useCallback(async (conversation: string) => {
    try {
      const stored = await api.conversation(conversation);
      show(conversation, fromMessages(stored.messages));
    } catch (error) {
      setProblem(asProblem(error));
    }
  }, [show]);

  const remove = useCallback(async (conversation: string) => {
    try {
      await api.forget(conversation);
      if (current.current === conversation) show(undefined, []);
    } catch (error) {
      setProblem(asProblem(error));
    }
    await refresh();
  }, [refresh, show]);

  const stop = useCallback(() => running.current?.abort(), []);
  const fresh = useCallback(() => show(undefined, []), [show]);
  return { locked, turns, id, heads, problem, refresh, ask, open, remove, stop, fresh, busy: isRunning(turns.at(-1)) };
}
