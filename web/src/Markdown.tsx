// The answer's Markdown, loaded only when there is one. A model's output is not trusted: no HTML, no images, no
// loads from elsewhere; links only to http and https.
import ReactMarkdown, { type Components, type Options } from "react-markdown";
import rehypeSanitize from "rehype-sanitize";
import remarkGfm from "remark-gfm";
import { Chip } from "./Chip";
import { chips } from "./rehypeChips";

const components: Components = {
  a: ({ href, children }) =>
    href && /^https?:\/\//i.test(href) ? <a href={href} target="_blank" rel="noopener noreferrer">{children}</a> : <>{children}</>,
  button: ({ node }) => <Chip number={Number(node?.properties.number)} occurrence={Number(node?.properties.occurrence)} />,
  table: ({ children }) => <div className="table" role="region" aria-label="Table" tabIndex={0}><table>{children}</table></div>,
  // The page has its own h1 and h2; an answer's headings start below them.
  h1: ({ children }) => <h3>{children}</h3>,
  h2: ({ children }) => <h3>{children}</h3>,
};
const remark: Options["remarkPlugins"] = [remarkGfm];
// The chips come after the sanitizer, which would drop a button.
const rehype: Options["rehypePlugins"] = [rehypeSanitize, chips];
const dropped = ["img", "input", "video", "audio", "picture", "source", "iframe"];

export default function Markdown({ text }: { text: string }) {
  return (
    <div className="prose">
      <ReactMarkdown components={components} remarkPlugins={remark} rehypePlugins={rehype} disallowedElements={dropped} skipHtml>
        {text}
      </ReactMarkdown>
    </div>
  );
}
