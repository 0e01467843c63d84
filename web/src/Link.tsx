// A link in an answer: it leads out of the page, so it shows its host, and it never looks like a citation.

interface Props {
  href?: string | undefined;
  children?: React.ReactNode;
  node?: { children: { type: string; value?: string; children?: unknown[] }[] } | undefined;
}

const words = (node: { value?: string; children?: unknown[] }): string =>
  node.value ?? (node.children ?? []).map((child) => words(child as Props["node"] & object)).join("");

export function Link({ href, children, node }: Props) {
  const place = target(href ?? "");
  if (!place) return <>{children}</>;
  const text = node ? words(node) : "";
  const shown = /\p{Alphabetic}/u.test(text) ? children : place.whole;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {shown}
      {!(shown === place.whole || isAddress(text, place.whole)) && <span className="host"> ({place.host})</span>}
      <span aria-hidden="true" className="out"> ↗</span>
      <span className="unseen"> opens another site</span>
    </a>
  );
}

/** Where an address leads: only the web and mail, and nothing that the page itself has put in. */
function target(href: string): { host: string; whole: string } | undefined {
  if (!/^(https?:\/\/|mailto:)/i.test(href) || /%EE%80%8[01]/i.test(href)) return undefined;
  try {
    const url = new URL(href);
    return { host: url.host || url.pathname, whole: url.host ? url.href : url.pathname };
  } catch {
    return undefined;
  }
}

const isAddress = (text: string, whole: string) => text.trim() === whole || `${text.trim()}/` === whole;
