// What narrows a search: a row of fields, each with the values of the matching documents and their counts.
import type { Condition } from "./filter";
import type { Facets } from "./wire";

/** Fields with more values tell documents apart, not kinds of them. */
const MOST_VALUES = 30;
const MOST_FIELDS = 6;

interface Props {
  facets: Facets;
  conditions: Condition[];
  onPick: (condition: Condition) => void;
}

export function Refine({ facets, conditions, onPick }: Props) {
  const useful = Object.entries(facets).filter(([, values]) => values.length <= MOST_VALUES && values.some((one) => one.count > 1));
  const picked = (field: string, value: unknown) => conditions.some((one) => one.field === field && one.operator === "=" && one.value === value);
  const pick = (event: React.MouseEvent<HTMLElement>, condition: Condition) => {
    event.currentTarget.closest("details")?.removeAttribute("open");
    onPick(condition);
  };
  return (
    <div className="refine" role="group" aria-label="Narrow the results">
      {useful.slice(0, MOST_FIELDS).map(([field, values]) => (
        <details key={field} name="facet" onKeyDown={(event) => event.key === "Escape" && event.currentTarget.removeAttribute("open")}>
          <summary>{field}</summary>
          <ul>
            {values.map(({ value, count }) => (
              <li key={String(value)}>
                <button type="button" disabled={picked(field, value)} onClick={(event) => pick(event, { field, operator: "=", value })}>
                  <span>{String(value)}</span> <span className="count">{count}</span>
                </button>
              </li>
            ))}
          </ul>
        </details>
      ))}
    </div>
  );
}
