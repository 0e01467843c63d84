// What went wrong: a plain lead, and the server's own words, which name the mend.
import type { Problem } from "./wire";

const LEADS: Record<number, string> = {
  400: "This cannot be asked as it stands.",
  401: "This service needs an API key.",
  404: "This is not there.",
  413: "This is too long.",
  429: "Too much is asked at once.",
  500: "Something went wrong in the server.",
  502: "The language model failed.",
  503: "This is not possible just now.",
  504: "The language model took too long.",
};

export function Trouble({ problem }: { problem: Problem }) {
  const lead = LEADS[problem.status ?? 0] ?? problem.title;
  return (
    <div className="banner bad" role="alert">
      <p><strong>{sentence(lead)}</strong> {sentence(problem.detail)}</p>
      {problem.errors?.map((one) => one.detail !== problem.detail && <p key={one.pointer}><code>{one.pointer}</code> {one.detail}</p>)}
    </div>
  );
}

/** The server's words begin small and end without a stop. */
export const sentence = (text: string | undefined) => (text ? `${text[0]?.toUpperCase()}${text.slice(1).replace(/[^.!?]$/, "$&.")}` : "");
