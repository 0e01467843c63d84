// Turns the marks [1] of an answer's text nodes into button elements, numbered by occurrence.
import { MARK } from "./marks";

interface Node {
  type: string;
  tagName?: string;
  value?: string;
  properties?: Record<string, unknown>;
  children?: Node[];
}

/** Inside code and links a mark stays text, but it counts, so that later marks keep their places. */
const KEPT = new Set(["code", "pre", "a"]);

export function chips() {
  return (tree: Node) => {
    const seen = new Map<number, number>();
    walk(tree, false, seen);
  };
}

function walk(node: Node, kept: boolean, seen: Map<number, number>) {
  const inside = kept || KEPT.has(node.tagName ?? "");
  node.children = node.children?.flatMap((child) => {
    if (child.type === "text") return split(child, inside, seen);
    walk(child, inside, seen);
    return [child];
  }) ?? [];
}

function split(node: Node, kept: boolean, seen: Map<number, number>): Node[] {
  const text = node.value ?? "";
  const parts: Node[] = [];
  let at = 0;
  for (const match of text.matchAll(MARK)) {
    const number = Number(match[1]);
    const occurrence = seen.get(number) ?? 0;
    seen.set(number, occurrence + 1);
    if (kept) continue;
    parts.push({ type: "text", value: text.slice(at, match.index) });
    parts.push({ type: "element", tagName: "button", properties: { number, occurrence }, children: [] });
    at = match.index + match[0].length;
  }
  return [...parts, { type: "text", value: text.slice(at) }];
}
