// The numbered button in an answer that opens its source.
import { createContext, use } from "react";
import type { Target, Targets } from "./marks";
import type { Cited } from "./SourcePane";

interface Chips {
  targets: Targets;
  onSource: (cited: Cited) => void;
}

export const ChipContext = createContext<Chips>({ targets: new Map(), onSource: () => undefined });

export function Chip({ number, occurrence }: { number: number; occurrence: number }) {
  const { targets, onSource } = use(ChipContext);
  const target = targets.get(`${number}/${occurrence}`);
  if (!target) return <>[{number}]</>;
  const cited = toCited(target);
  const checked = target.citation?.checked === true;
  return (
    <button type="button" className={checked ? "chip" : "chip unchecked"} title={target.citation?.quote || undefined}
      aria-label={`Source ${number}: ${cited.title}${checked ? "" : ", not checked"}`} onClick={() => onSource(cited)}>
      {number}
    </button>
  );
}

function toCited({ number, citation, source }: Target): Cited {
  const from = citation ?? source;
  return {
    number,
    document: from?.document ?? "",
    collection: citation?.collection ?? source?.collection ?? "",
    title: citation?.title ?? source?.title ?? "",
    uri: citation?.uri ?? source?.uri ?? "",
    range: citation?.source_range ?? source?.span ?? [0, 0],
    ...(from?.version !== undefined && { version: from.version }),
    ...(citation && { quote: citation.quote ?? "", checked: citation.checked }),
    ...(citation?.removed && { removed: true }),
  };
}
