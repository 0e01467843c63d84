// Whether a text is Markdown gone wild, which takes seconds to read and has nothing to say.

/** Emphasis that never ends costs the square of its signs, and nesting the square of its depth. */
const MOST_SIGNS = 1_500;
const DEEPEST = /^(?:[^\S\n]*(?:>|[-*+] |\d+[.)] )){60}/m;

export const tangled = (text: string) =>
  DEEPEST.test(text) || text.split(/\n\s*\n/).some((block) => block.length > MOST_SIGNS && (block.match(/[*_]/g)?.length ?? 0) > MOST_SIGNS);
