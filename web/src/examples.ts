// The first questions that an empty page offers.
import type { DocumentCard } from "./wire";

/** What fixtures/corpus answers well, by the document that does. */
const KNOWN: Record<string, string> = {
  "handbook/annual-leave.md": "How many days of annual leave does a full-time employee have?",
  "runbooks/broker-lag.md": "Only one broker partition lags. What should I do?",
  "prices/chartroom-plans.md": "What does the Cutter plan cost a month?",
};
const MOST = 3;

/** Questions about documents that are there: the known ones, else what three of them say, by their titles. */
export function examples(documents: DocumentCard[]): string[] {
  const known = documents.flatMap(({ uri }) => KNOWN[uri] ?? []);
  const titles = [...new Set(documents.map((one) => one.title.trim()))].filter(tellsSomething);
  const step = Math.max(1, Math.floor(titles.length / MOST));
  const about = titles.filter((_, at) => at % step === 0).map((title) => `What does “${title}” say?`);
  return [...known, ...about].slice(0, MOST);
}

/** A title made for people, not a file's name. */
const tellsSomething = (title: string) => /^\p{L}.*\s/u.test(title) && title.length <= 60 && !/[_|/\\]/.test(title);
