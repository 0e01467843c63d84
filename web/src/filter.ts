// What a person types as a filter, `department=hr` or `date>=2024`, turned into the filter object of the wire.

const NAMES: Record<string, string> = { ">=": "gte", "<=": "lte", ">": "gt", "<": "lt" };

export interface Condition {
  field: string;
  operator: string;
  value: string | number | boolean;
}

export function parseCondition(typed: string): Condition | undefined {
  const match = /^\s*([^\s=<>]+)\s*(>=|<=|=|>|<)\s*(.+?)\s*$/.exec(typed);
  if (!match) return undefined;
  const [, field = "", operator = "", value = ""] = match;
  return { field, operator, value };
}

export const show = (condition: Condition) => `${condition.field}${condition.operator}${condition.value}`;

type Value = Condition["value"];

/** A typed value as the text that it is and as the number or truth value that it may mean: metadata holds either.
    A value that is no text was not typed: it means itself. */
function meanings(typed: Value): unknown[] {
  if (typeof typed !== "string") return [typed];
  if (typed === "true" || typed === "false") return [typed, typed === "true"];
  const number = asNumber(typed);
  return number === undefined ? [typed] : [typed, number];
}

function asNumber(typed: Value): number | undefined {
  const number = Number(typed);
  const exact = /^-?\d+(\.\d+)?$/.test(String(typed)) && Math.abs(number) <= Number.MAX_SAFE_INTEGER;
  return exact ? number : undefined;
}

/** Equal fields become "one of"; bounds of one field become one range; all fields must hold. */
export function toFilter(conditions: Condition[]): Record<string, unknown> | undefined {
  const all: Record<string, unknown>[] = [];
  for (const field of new Set(conditions.map((one) => one.field))) {
    const own = conditions.filter((one) => one.field === field);
    const values = own.filter((one) => one.operator === "=").flatMap((one) => meanings(one.value));
    const bounds = own.filter((one) => one.operator !== "=");
    if (values.length > 0) all.push({ [field]: values.length === 1 ? values[0] : values });
    if (bounds.length > 0) all.push(range(field, bounds));
  }
  if (all.length === 0) return undefined;
  const fields = all.flatMap(Object.keys);
  return new Set(fields).size === fields.length ? Object.assign({}, ...all) : { and: all };
}

/** Both ends of a range are of one kind, so a range of numbers is asked for twice. */
function range(field: string, bounds: Condition[]): Record<string, unknown> {
  const ends = (value: (typed: Value) => unknown) => ({ [field]: Object.fromEntries(bounds.map((one) => [NAMES[one.operator], value(one.value)])) });
  const numeric = bounds.every((one) => asNumber(one.value) !== undefined);
  return numeric ? { or: [ends((typed) => typed), ends(asNumber)] } : ends((typed) => typed);
}
