// A model's answer as Markdown, loaded only when there is one. It is not trusted: HTML is text, nothing loads from
// elsewhere, and a link shows where it leads.
import { createContext, use, useMemo } from "react";
import ReactMarkdown, { type Components, type Options } from "react-markdown";
import rehypeSanitize from "rehype-sanitize";
import remarkGfm from "remark-gfm";
import { Placed } from "./Chip";
import { Link } from "./Link";
import { seal } from "./marks";
import type { PlainProps } from "./Plain";
import { chips, unread } from "./seals";

const remark: Options["remarkPlugins"] = [remarkGfm, unread];
const dropped = ["img", "input", "video", "audio", "picture", "source", "iframe"];

// The components stay the same while an answer grows, so that a focused chip keeps its focus.
const Given = createContext<Pick<PlainProps, "marks" | "onSource">>({ marks: [], onSource: () => undefined });

function AtPlace({ place }: { place: number }) {
  const { marks, onSource } = use(Given);
  const mark = marks[place];
  return mark && <Placed mark={mark} onSource={onSource} />;
}

const components: Components = {
  a: Link,
  button: ({ node }) => <AtPlace place={Number(node?.properties.place)} />,
  table: ({ children }) => <div className="table" role="region" aria-label="Table" tabIndex={0}><table>{children}</table></div>,
  // The page has its own h1 and h2; an answer's headings start below them.
  h1: ({ children }) => <h3>{children}</h3>,
  h2: ({ children }) => <h3>{children}</h3>,
};

export default function Markdown({ text, marks, onSource }: PlainProps) {
  const given = useMemo(() => ({ marks, onSource }), [marks, onSource]);
  // The chips come after the sanitizer, which would drop a button.
  const rehype = useMemo<Options["rehypePlugins"]>(() => [rehypeSanitize, chips(marks)], [marks]);
  return (
    <div className="prose">
      <Given value={given}>
        <ReactMarkdown components={components} remarkPlugins={remark} rehypePlugins={rehype} disallowedElements={dropped}>
          {seal(text, marks)}
        </ReactMarkdown>
      </Given>
    </div>
  );
}
