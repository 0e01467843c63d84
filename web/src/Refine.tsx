// What narrows a search: a row of fields, each with the values of the matching documents and their counts.
import type { Condition } from "./filter";
import type { Facets } from "./wire";

/** Fields with more values, or with hardly a document for each, tell documents apart and not kinds of them. */
const MOST_VALUES = 30;
const LEAST_EACH = 1.5;
const MOST_FIELDS = 6;

interface Props {
  facets: Facets;
  conditions: Condition[];
  onPick: (condition: Condition) => void;
}

export function Refine({ facets, conditions, onPick }: Props) {
  const useful = Object.entries(facets).filter(([, values]) => {
    const documents = values.reduce((sum, one) => sum + one.count, 0);
    return values.length <= MOST_VALUES && documents >= LEAST_EACH * values.length;
  });
  const picked = (field: string, value: string) => conditions.some((one) => one.field === field && one.operator === "=" && one.value === value);
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
            {values.map(({ value, count }) => ({ value: String(value), count })).map(({ value, count }) => (
              <li key={value}>
                <button type="button" disabled={picked(field, value)} onClick={(event) => pick(event, { field, operator: "=", value })}>
                  <span>{value}</span> <span className="count">{count}</span>
                </button>
              </li>
            ))}
          </ul>
        </details>
      ))}
    </div>
  );
}
