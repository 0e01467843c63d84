// The conversation on screen: asking, stopping, opening a stored one. Other tabs may go on with the same one.
import { useCallback, useEffect, useRef, useState } from "react";
import * as api from "./api";
import { apply, close, fail, fromMessages, isRunning, mayRetry, newTurn, type Turn } from "./turn";
import type { ConversationHead, Problem } from "./wire";

const asProblem = (error: unknown): Problem =>
  error instanceof api.Refused ? error.problem : { title: "The answer broke off", detail: "The connection was lost on the way." };
const GONE: Problem = { title: "This conversation has been deleted.", detail: "Try again to ask it in a new one." };
const LOST: Problem = { title: "This conversation is not here any more.", detail: "It may have been deleted." };

export interface Choice {
  route?: string;
  collection?: string;
}

export function useChat() {
  const [turns, setTurns] = useState<Turn[]>([]);
  const [id, setId] = useState<string>();
  const [heads, setHeads] = useState<ConversationHead[]>([]);
  const [problem, setProblem] = useState<Problem>();
  /** Whether another tab has gone on with the conversation. */
  const [behind, setBehind] = useState(false);
  const current = useRef<string>(undefined);
  const running = useRef<AbortController>(undefined);
  const opening = useRef(0);
  const count = useRef(0);

  // The list is the first call that needs a key, so it tells whether one is missing.
  const [locked, setLocked] = useState(false);
  const refresh = useCallback(
    () => api.conversations().then(setHeads).catch((error: unknown) => setLocked(asProblem(error).status === 401)),
    [],
  );

  const tabs = useRef<BroadcastChannel>(undefined);
  useEffect(() => {
    const channel = (tabs.current = new BroadcastChannel("portolan"));
    channel.onmessage = ({ data }) => {
      void refresh();
      if (data !== undefined && data === current.current) setBehind(true);
    };
    return () => channel.close();
  }, [refresh]);

  const show = useCallback((conversation: string | undefined, shown: Turn[]) => {
    opening.current++;
    running.current?.abort();
    current.current = conversation;
    setId(conversation);
    setTurns(shown);
    setProblem(undefined);
    setBehind(false);
  }, []);

  const ask = useCallback(async (question: string, choice: Choice) => {
    const key = `new-${++count.current}`;
    const controller = new AbortController();
    // The question goes to the conversation on the screen, not to one that is still being opened.
    opening.current++;
    running.current = controller;
    const change = (step: (turn: Turn) => Turn) =>
      setTurns((all) => all.map((turn) => (turn.key === key ? step(turn) : turn)));
    setTurns((all) => [...all, newTurn(key, question)]);
    const conversation = current.current;
    try {
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
      const told = asProblem(error);
      const gone = conversation !== undefined && told.status === 404 && /conversation/.test(told.detail ?? "");
      if (gone && current.current === conversation) current.current = undefined;
      change((turn) => {
        if (!isRunning(turn)) return turn;
        return controller.signal.aborted ? { ...turn, state: "stopped" } : fail(turn, gone ? GONE : told, gone || mayRetry(told));
      });
    }
    tabs.current?.postMessage(current.current);
    void refresh();
  }, [refresh]);

  const open = useCallback(async (conversation: string) => {
    const own = ++opening.current;
    try {
      const stored = await api.conversation(conversation);
      if (own === opening.current) show(conversation, fromMessages(stored.messages));
    } catch (error) {
      const told = asProblem(error);
      if (own === opening.current) setProblem(told.status === 404 ? LOST : told);
    }
  }, [show]);

  const remove = useCallback(async (conversation: string) => {
    try {
      await api.forget(conversation);
      if (current.current === conversation) show(undefined, []);
    } catch (error) {
      setProblem(asProblem(error));
    }
    tabs.current?.postMessage(undefined);
    await refresh();
  }, [refresh, show]);

  // Who closes the page does not wait for the answer.
  useEffect(() => {
    const leave = () => running.current?.abort();
    addEventListener("pagehide", leave);
    return () => removeEventListener("pagehide", leave);
  }, []);

  const stop = useCallback(() => running.current?.abort(), []);
  const fresh = useCallback(() => show(undefined, []), [show]);
  return { locked, turns, id, heads, problem, behind, current, refresh, ask, open, remove, stop, fresh, busy: isRunning(turns.at(-1)) };
}
