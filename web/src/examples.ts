// The three questions that an empty page offers; fixtures/corpus answers them.

export const EXAMPLES = [
  "How many days of annual leave does a full-time employee have?",
  "Only one broker partition lags. What should I do?",
  "What does the Cutter plan cost a month?",
];
