// The plugins around Markdown: what of it is not read, and how the seals of the marks become chips.
import { lastWord, unseal, type Mark } from "./marks";

interface Node {
  type: string;
  tagName?: string;
  value?: string;
  properties?: Record<string, unknown>;
  children?: Node[];
}

/** HTML and character references stay the text that they are. Definitions and footnotes would turn `[1]` into a link or a
    mark of their own, and an image is a link. */
const UNREAD = ["htmlFlow", "htmlText", "characterReference", "definition", "labelStartImage", "gfmFootnoteDefinition", "gfmFootnoteCall", "gfmPotentialFootnoteCall"];

export function unread(this: unknown) {
  const data = (this as { data: () => { micromarkExtensions?: unknown[] } }).data();
  (data.micromarkExtensions ??= []).push({ disable: { null: UNREAD } });
}

/** Inside code and links a mark is text. */
const KEPT = new Set(["code", "pre", "a"]);

export const chips = (marks: Mark[]) => () => (tree: Node) => walk(tree, false, marks);

function walk(node: Node, kept: boolean, marks: Mark[]) {
  const inside = kept || KEPT.has(node.tagName ?? "");
  node.children = node.children?.flatMap((child) => {
    if (child.type === "text") return split(child.value ?? "", inside, marks);
    walk(child, inside, marks);
    return [child];
  }) ?? [];
}

const text = (value: string): Node => ({ type: "text", value });
const element = (tagName: string, properties: Node["properties"], children: Node[]): Node => ({ type: "element", tagName, properties: properties ?? {}, children });

const written = (mark: Mark | undefined) => (mark && "citation" in mark ? `[${mark.citation.number}]` : "");

function split(sealed: string, kept: boolean, marks: Mark[]): Node[] {
  const parts: Node[] = [];
  for (const piece of unseal(sealed)) {
    if (typeof piece === "string") parts.push(text(piece));
    else if (kept) parts.push(text(written(marks[piece])));
    else {
      const before = parts.at(-1)?.type === "text" ? parts.pop()?.value ?? "" : "";
      const [rest, word] = lastWord(before);
      parts.push(text(rest), element("span", { className: ["held"] }, [text(word), element("button", { place: piece }, [])]));
    }
  }
  return parts;
}
