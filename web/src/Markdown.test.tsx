import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { ChipContext } from "./Chip";
import Markdown from "./Markdown";
import { targets } from "./marks";
import type { Citation } from "./wire";

const citation: Citation = {
  number: 1, answer_range: [0, 3], document: "d", source_range: [0, 1], quote: "q", checked: true, title: "Policy", uri: "u", collection: "c",
};

function render(text: string): string {
  const chips = { targets: targets({ text, citations: [citation], sources: [] }), onSource: () => undefined };
  return renderToStaticMarkup(<ChipContext value={chips}><Markdown text={text} /></ChipContext>);
}

test("nothing in an answer can load from elsewhere or run", () => {
  const html = render('![x](https://e.invalid/a.png) <img src=x onerror=alert(1)> <script>alert(2)</script>\n\n[j](javascript:alert(3)) [d](data:text/html,x) [f](//e.invalid)\n\n![r][1]\n\n[1]: https://e.invalid/b.png');
  expect(html).not.toMatch(/<img|<script|onerror|javascript:|href=|e\.invalid/);
});

test("a link to http or https opens apart and tells nothing", () => {
  expect(render("[a](https://e.invalid/)")).toContain('<a href="https://e.invalid/" target="_blank" rel="noopener noreferrer">a</a>');
});

test("a mark with a citation is a button, beside another mark and inside a table too", () => {
  expect(render("Yes [1].")).toContain('aria-label="Source 1: Policy"');
  expect(render("Yes [1][2].")).toMatch(/<\/button>\[2\]/);
  expect(render("| a |\n| --- |\n| b [1] |")).toContain("<button");
});

test("a mark in code stays text and does not shift the later ones", () => {
  const html = render("`a[1]` and [1]");
  expect(html).toContain("<code>a[1]</code>");
  expect(html.match(/<button/g)).toHaveLength(1);
});
