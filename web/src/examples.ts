// The three questions that an empty page offers; fixtures/corpus answers them.

export const EXAMPLES = [
  "How many days of annual leave do I get?",
  "What should I do first when the database is down?",
  "What does the standard plan cost per month?",
];
