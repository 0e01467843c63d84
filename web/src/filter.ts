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

/** Equal fields become "one of"; bounds of one field become one range; all fields must hold. */
export function toFilter(conditions: Condition[]): Record<string, unknown> | undefined {
  const all: Record<string, unknown>[] = [];
  for (const field of new Set(conditions.map((one) => one.field))) {
    const own = conditions.filter((one) => one.field === field);
    const values = own.filter((one) => one.operator === "=").map((one) => one.value);
    const bounds = own.filter((one) => one.operator !== "=").map((one) => [NAMES[one.operator], one.value]);
    if (values.length > 0) all.push({ [field]: values.length === 1 ? values[0] : values });
    if (bounds.length > 0) all.push({ [field]: Object.fromEntries(bounds) });
  }
  if (all.length === 0) return undefined;
  const fields = all.flatMap(Object.keys);
  return new Set(fields).size === fields.length ? Object.assign({}, ...all) : { and: all };
}
