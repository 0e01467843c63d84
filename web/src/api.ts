// Calls to the server. Every failure becomes one `Refused` with a problem that the page can show.
import { frames } from "./sse";
import type { ChatEvent, Collection, Completion, ConversationHead, DocumentCard, Message, Problem, Route, SearchAnswer, SourceText } from "./wire";

export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title);
  }
}

const KEY = "portolan-key";

/** Keeps the API key until the tab is closed, no longer. */
export const keepKey = (key: string) => sessionStorage.setItem(KEY, key);
export const hasKey = () => sessionStorage.getItem(KEY) !== null;

async function call(path: string, options?: RequestInit): Promise<Response> {
  const headers = new Headers(options?.headers);
  const key = sessionStorage.getItem(KEY);
  if (key) headers.set("authorization", `Bearer ${key}`);
  let response: Response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (options?.signal?.aborted) throw error;
    throw new Refused({ title: "Portolan cannot be reached", detail: "Is the server running? Check it and try again." });
  }
  if (response.ok) return response;
  const fallback = { title: response.statusText || "The request failed", status: response.status };
  const body = (await response.json().catch(() => undefined)) as Problem | undefined;
  throw new Refused(body && typeof body.title === "string" ? body : fallback);
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await call(path, signal ? { signal } : undefined)).json() as Promise<T>;
}

function post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return call(path, { method: "POST", headers, body: JSON.stringify(body), signal: signal ?? null });
}

export interface Ask {
  message: string;
  conversation?: string;
  route?: string;
  collection?: string;
}

/** How long to wait, in ms, before each try to go on with an answer whose connection broke. */
const PAUSES = [200, 1_000, 2_000, 4_000, 8_000];

/** The events of an answer. Where the connection breaks it goes on after the last event, and the model is not asked
    again; aborting stops the model. */
export async function* chat(ask: Ask, signal: AbortSignal, pauses: readonly number[] = PAUSES): AsyncGenerator<ChatEvent> {
  let response: Response | undefined = await post("v1/chat", { ...ask, stream: true, resumable: true }, signal);
  let [run, last] = ["", ""];
  // The page may be on its way out, and the request must outlive it.
  const stop = () => void (run && call(`${run}/stop`, { method: "POST", keepalive: true }).catch(() => undefined));
  signal.addEventListener("abort", stop);
  try {
    while (response?.body) {
      try {
        for await (const frame of frames(response.body)) {
          const event = { event: frame.event, data: JSON.parse(frame.data) as unknown } as ChatEvent;
          if (event.event === "started") run = `v1/chat/${encodeURIComponent(event.data.run)}`;
          last = frame.id;
          yield event;
          if (event.event === "done" || event.event === "failed") return;
        }
      } catch (error) {
        if (signal.aborted || !run) throw error;
      }
      response = run ? await goOn(run, last, signal, pauses) : undefined;
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The rest of a run, or nothing where the server does not have it any more. */
async function goOn(run: string, last: string, signal: AbortSignal, pauses: readonly number[]): Promise<Response | undefined> {
  let lost: unknown;
  for (const pause of pauses) {
    await new Promise((done) => setTimeout(done, pause));
    signal.throwIfAborted();
    try {
      return await call(run, { headers: { "last-event-id": last }, signal });
    } catch (error) {
      const status = error instanceof Refused ? error.problem.status : undefined;
      if (status === 404) return undefined;
      if (signal.aborted || (status !== undefined && status < 500)) throw error;
      lost = error;
    }
  }
  throw lost;
}

export interface SearchRequest {
  query: string;
  mode: string;
  limit: number;
  offset: number;
  collection?: string;
  filter?: Record<string, unknown>;
  facets?: string[];
  sort?: { field: string; order: "asc" | "desc" }[];
  group_by?: "document";
  typing?: boolean;
}

export async function search(request: SearchRequest, signal: AbortSignal): Promise<SearchAnswer> {
  return (await post("v1/search", request, signal)).json() as Promise<SearchAnswer>;
}

export function suggest(typed: string, collection: string, signal: AbortSignal): Promise<{ completions: Completion[] }> {
  const query = new URLSearchParams({ q: typed, limit: "6", results: "0", ...(collection && { collection }) });
  return get(`v1/suggest?${query}`, signal);
}

export const routes = () => get<{ routes: Route[] }>("v1/routes").then((body) => body.routes);
export const collections = () => get<{ collections: Collection[] }>("v1/collections").then((body) => body.collections.filter((one) => one.available));
/** The first documents of a collection, by their names. */
export const documents = (collection: string) =>
  get<{ documents: DocumentCard[] }>(`v1/documents?${new URLSearchParams({ limit: "100", ...(collection && { collection }) })}`).then((body) => body.documents);
export const conversations = () =>
  get<{ conversations: ConversationHead[] }>("v1/conversations").then((body) => body.conversations);
export const conversation = (id: string) =>
  get<{ id: string; title: string; messages: Message[] }>(`v1/conversations/${encodeURIComponent(id)}`);
export const forget = (id: string) => call(`v1/conversations/${encodeURIComponent(id)}`, { method: "DELETE" });

export interface Place {
  document: string;
  collection: string;
  version?: string | number;
}

export function source(place: Place, signal: AbortSignal): Promise<SourceText> {
  const query = new URLSearchParams(place.collection ? { collection: place.collection } : {});
  if (place.version !== undefined) query.set("version", String(place.version));
  return get<SourceText>(`v1/documents/${encodeURIComponent(place.document)}/source?${query}`, signal);
}
