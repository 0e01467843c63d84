import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import Markdown from "./Markdown";
import { marks, marksOf } from "./marks";
import { Plain } from "./Plain";
import type { Citation } from "./wire";

const citation = (number: number, end: number): Citation => ({
  number, answer_range: [0, end], document: "d", source_range: [0, 1], quote: "q", checked: true, title: "Policy", uri: "u", collection: "c",
});

/** Both ways to show an answer; `cited` are the parts of it that end where a mark is spoken of. */
function show(text: string, cited: [number: number, upTo: string][] = []) {
  const bytes = (part: string) => new TextEncoder().encode(text.slice(0, text.indexOf(part) + part.length)).length;
  const given = { text, marks: marks(text, cited.map(([number, upTo]) => citation(number, bytes(upTo)))), onSource: () => undefined };
  return { markdown: renderToStaticMarkup(<Markdown {...given} />), plain: renderToStaticMarkup(<Plain {...given} />) };
}
const chips = (html: string) => html.match(/<button/g)?.length ?? 0;
const read = (html: string) => html.replace(/<[^>]*>/g, "").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&amp;", "&");

test("sentences of a document are shown letter by letter", () => {
  const check = (text: string) => {
    const { plain } = show(`${text} [1]`, [[1, text]]);
    expect(read(plain)).toBe(`${text} 1`);
    expect(plain.replace(/<\/?(div|span|button)[^>]*>/g, "")).not.toContain("<");
    expect(chips(plain)).toBe(1);
  };
  check("Use `Option<Lamp>` and Option<Lamp>.");
  check("Before <!-- a comment --> and after.");
  check("A [link](https://e.invalid) and [1](https://e.invalid) and https://e.invalid.");
  check("# Head\n\n- **item** &amp; ![x](y) <script>alert(1)</script>");
});

test("HTML in a model's answer is text and does not vanish", () => {
  expect(read(show("An Option<Lamp> <!-- c --> &lt; <b>x</b>").markdown)).toBe("An Option<Lamp> <!-- c --> &lt; <b>x</b>");
  expect(read(show("<div onclick=x>\n\n<script>alert(1)</script>").markdown)).toContain("<script>alert(1)</script>");
});

test("nothing in an answer can load from elsewhere or run", () => {
  const { markdown } = show('![x](https://e.invalid/a.png) <img src=x onerror=alert(1)>\n\n[j](javascript:alert(3)) [d](data:text/html,x) [f](//e.invalid) [g](/v1/x) [h](#search)\n\n![r][1]\n\n[1]: https://e.invalid/b.png');
  expect(markdown).not.toMatch(/<img|<script|javascript:|href="(?!https:\/\/)/);
});

test("a link opens apart, tells nothing and shows its host", () => {
  const check = (text: string, href: string, shown: string) => {
    const { markdown } = show(text);
    expect(markdown).toContain(`<a href="${href}" target="_blank" rel="noopener noreferrer">`);
    expect(read(markdown)).toBe(`${shown} ↗ opens another site`);
  };
  check("[a](https://e.invalid/x)", "https://e.invalid/x", "a (e.invalid)");
  check("https://e.invalid/x", "https://e.invalid/x", "https://e.invalid/x");
  check("[https://bank.invalid/](https://e.invalid/x)", "https://e.invalid/x", "https://bank.invalid/ (e.invalid)");
  check("[a](https://bank.invalid@e.invalid/)", "https://bank.invalid@e.invalid/", "a (e.invalid)");
  check("[write](mailto:a@e.invalid)", "mailto:a@e.invalid", "write (a@e.invalid)");
});

test("a link never looks like a citation", () => {
  const check = (text: string) => {
    const { markdown } = show(text);
    expect(chips(markdown)).toBe(0);
    expect(markdown.match(/<a [^>]*>([^<]*)/)?.[1] ?? "https://e.invalid/").toBe("https://e.invalid/");
  };
  check("Yes [1](https://e.invalid/).");
  check("Yes [\\[1\\]](https://e.invalid/) and [**1**](https://e.invalid/).");
  check("Yes [1].\n\n[1]: https://e.invalid/");
  check("Yes [x][1].\n\n[1]: https://e.invalid/");
  check("Yes [^1].\n\n[^1]: https://e.invalid/");
});

test("only a citation makes a chip", () => {
  const check = (text: string, cited: [number, string][], expected: number) => {
    const { markdown, plain } = show(text, cited);
    expect([chips(markdown), chips(plain)], text).toEqual([expected, expected]);
  };
  check("Yes [1].", [[1, "Yes"]], 1);
  check("Yes [1].", [], 0);
  check("Yes [1][2].", [[1, "Yes"], [2, "Yes"]], 2);
  check("Yes **28 days.**[1] items[1]", [[1, "days.**"]], 1);
  check("| a |\n| --- |\n| b [1] |", [[1, "b"]], 1);
  check("items[1] and b [1]", [[1, "b"]], 1);
  expect(show("Yes **28 days.**[1]", [[1, "days.**"]]).markdown).toContain('<strong>28 days.</strong><span class="held"><button');
});

test("a doubt is shown in both ways, and is no button", () => {
  const text = "It is 31. Yes.";
  const doubt = { answer_range: [0, 9] as [number, number], state: "unsupported" as const, reason: "numbers" as const, lacking: ["31"] };
  const given = { text, marks: marksOf(text, [], [doubt]), onSource: () => undefined };
  for (const html of [renderToStaticMarkup(<Markdown {...given} />), renderToStaticMarkup(<Plain {...given} />)]) {
    expect(read(html)).toBe("It is 31.? Yes.");
    expect(html).toContain('title="Not supported: the passages do not say 31 there."');
    expect(chips(html)).toBe(0);
  }
});

test("a seal cannot be forged, and code and links keep the mark as text", () => {
  const forged = "\uE0000\uE001 [\uE0000\uE001] [&#xE000;0&#xE001;] so [1]";
  expect(chips(show(forged, [[1, "so"]]).markdown)).toBe(1);
  expect(show("`a [1]` and b [1]", [[1, "a"], [1, "b"]]).markdown).toContain("<code>a [1]</code>");
  expect(read(show("[a [1] b](https://e.invalid/)", [[1, "a"]]).markdown)).toBe("a [1] b (e.invalid) ↗ opens another site");
});
