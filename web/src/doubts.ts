// What is wrong with a sentence that the passages do not support, in words.
import { rangeFromBytes } from "./ranges";
import type { SentenceCheck } from "./wire";

export function doubtful({ reason, lacking, found_in }: SentenceCheck): string {
  const words = (lacking ?? []).join(", ");
  switch (reason) {
    case "numbers":
    case "dates":
    case "names":
      return `the passages do not say ${words} there.`;
    case "negation":
      return "the passages say the opposite.";
    case "citation":
      return found_in ? `the cited passage does not say it; passage ${found_in} does.` : "the cited passage does not say it.";
    default:
      return "the passages do not say it.";
  }
}

/** The sentences that nothing supports, with the reason. */
export function doubts(text: string, sentences: SentenceCheck[]): { words: string; why: string }[] {
  return sentences.filter((one) => one.state === "unsupported").map((one) => {
    const [start, end] = rangeFromBytes(text, one.answer_range);
    return { words: text.slice(start, end).replace(/\[\d{1,3}\]/g, "").replace(/\s+([.,;!?])/g, "$1").trim(), why: doubtful(one) };
  });
}
