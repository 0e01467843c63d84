// What the end-to-end run asks; fixtures/corpus answers the first two and cannot answer the last.

export const QUESTION = "How many days of annual leave does a full-time employee have?";
export const QUERY = "annual leave";
export const UNANSWERABLE = "Who won the 1998 football world cup?";
