// The page before the first question: what this is, and what one may ask of these documents.
import { useEffect, useState } from "react";
import * as api from "./api";
import { examples } from "./examples";
import { Rose } from "./Icons";

interface Props {
  /** Where is looked; undefined until that is known, and null where nothing is indexed. */
  collection: string | null | undefined;
  onAsk: (question: string) => void;
}

export function Empty({ collection, onAsk }: Props) {
  const [questions, setQuestions] = useState<string[]>([]);
  useEffect(() => {
    if (typeof collection !== "string") return undefined;
    let here = true;
    api.documents(collection).then((found) => here && setQuestions(examples(found)), () => undefined);
    return () => void (here = false);
  }, [collection]);
  return (
    <section className="empty" aria-labelledby="welcome">
      <Rose size={112} />
      <h2 id="welcome">Where do you want to go?</h2>
      <p>Ask your documents. Every answer carries numbered marks; each one opens its source at the very words it rests on.</p>
      {collection === null
        ? <p className="banner"><strong>Nothing is indexed yet.</strong> Index a folder, then ask: <code>portolan index PATH</code></p>
        : <ul className="examples" aria-label="Example questions">
            {questions.map((question) => (
              <li key={question}><button type="button" onClick={() => onAsk(question)}>{question}</button></li>
            ))}
          </ul>}
    </section>
  );
}
