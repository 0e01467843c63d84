//! The answer without a model: verbatim sentences of the evidence, each with its mark. It says what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;

use crate::engine::citations::has_mark;
use crate::engine::claims::words;
use crate::engine::evidence::is_asking;
use crate::engine::sentences;
use crate::error::Result;
use crate::gateway::{ChatModel, DeltaStream};
use crate::index::analyse;
use crate::types::{Delta, Passage, Prompt, Usage};

/// At most this many sentences are quoted.
const SENTENCES: usize = 4;
/// Fewer words than these are a label.
const LABEL: usize = 4;
/// More words than these are no heading.
const HEADING: usize = 12;
/// Words that the whole answer may have.
const WORDS: usize = 74;
/// A sentence is quoted from this share of the best one's score on, where it stands in the same document.
const FLOOR: f32 = 0.3;
/// The same for other documents: what only looks alike would stand beside the answer.
const FLOOR_ELSEWHERE: f32 = 0.6;
/// What a sentence takes over of the score of the one after it, which often goes on where it began.
const AFTER: f32 = 0.15;
/// What it is worth that the passage as a whole holds the question's words.
const WHOLE: f32 = 0.3;
/// Share of a word's worth when the title or a heading holds it.
const ABOVE: f32 = 0.7;
/// Passages that are read.
const PASSAGES: usize = 6;
/// Of one document at most this many.
const PER_DOCUMENT: usize = 2;

/// Chooses sentences by the question's words that they hold.
#[derive(Debug, Default)]
pub struct Extractive;

impl ChatModel for Extractive {
    fn stream(&self, prompt: Arc<Prompt>) -> BoxFuture<'_, Result<DeltaStream>> {
        Box::pin(async move {
            let mut deltas: Vec<Result<Delta>> = choose(&prompt.question, asked(&prompt), &prompt.context.passages)
                .into_iter()
                .enumerate()
                .map(|(at, quote)| {
                    let gap = if at == 0 { "" } else { "\n\n" };
                    Ok(Delta::Text(format!("{gap}{} [{}]", quote.text, quote.number)))
                })
                .collect();
            deltas.push(Ok(Delta::Usage(Usage {
                attempts: 1,
                cost_usd: Some("0".into()),
                ..Usage::default()
            })));
            deltas.push(Ok(Delta::Finish("stop".into())));
            Ok(futures::stream::iter(deltas).boxed())
        })
    }
}

/// The reader's own words.
fn asked(prompt: &Prompt) -> &str {
    prompt
        .messages
        .last()
        .map_or(prompt.question.as_str(), |message| message.text.as_str())
}

/// A chosen sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Quote {
    /// Verbatim, white space inside a line kept.
    pub text: String,
    /// Of the passage, from 1.
    pub number: usize,
}

/// The sentences that answer best, best first, none twice and `WORDS` words in all. `asked` is the reader's own
/// message: in a follow-up its words count twice, since `question` also holds those of the question before.
pub fn choose(question: &str, asked: &str, passages: &[Passage]) -> Vec<Quote> {
    let wanted = weights(question, asked, passages);
    let numeric = asks_for_number(asked);
    let mut ranked: Vec<(f32, usize, String)> = Vec::new();
    for (at, passage) in read(passages) {
        let above = words(&format!(
            "{}\n{}",
            passage.document.title,
            passage.chunk.heading_path.join("\n")
        ));
        let whole: BTreeSet<String> = words(&passage.chunk.text).union(&above).cloned().collect();
        let held = WHOLE * worth(&wanted, &whole, &above);
        let spans = quotable(&passage.chunk.text);
        let direct: Vec<f32> = spans
            .iter()
            .map(|span| worth(&wanted, &words(&passage.chunk.text[span.clone()]), &above))
            .collect();
        for (place, span) in spans.into_iter().enumerate() {
            let text = &passage.chunk.text[span.clone()];
            // A footnote mark of the source would be read as one of ours.
            let heads = is_heading(&passage.chunk.text, &span) || is_header(&passage.chunk.text, &span);
            if has_mark(text) || heads || text == passage.document.title {
                continue;
            }
            let after = AFTER * direct.get(place + 1).copied().unwrap_or_default();
            let score = direct[place] + after + held + form(text, numeric) + prior(at);
            ranked.push((score, at + 1, clipped(text, &wanted).to_owned()));
        }
    }
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then_with(|| a.2.cmp(&b.2)));
    let mut chosen: Vec<Quote> = Vec::new();
    let mut used = 0;
    let best = ranked.first().map_or(0.0, |first| first.0);
    for (score, number, text) in ranked {
        let length = text.split_whitespace().count();
        let fits = chosen.is_empty() || used + length <= WORDS;
        let new = !chosen.iter().any(|quote| quote.text == text);
        // The last place is for another document: a reader sees whether it says the same.
        let document = |number: usize| passages.get(number - 1).map(|passage| passage.document.id);
        let last_of_same =
            chosen.len() + 1 == SENTENCES && chosen.iter().all(|quote| document(quote.number) == document(number));
        let elsewhere = chosen
            .first()
            .is_some_and(|first| document(first.number) != document(number));
        let floor = if elsewhere { FLOOR_ELSEWHERE } else { FLOOR };
        if fits && new && !last_of_same && score >= best * floor {
            used += length;
            chosen.push(Quote { text, number });
        }
        if chosen.len() == SENTENCES {
            break;
        }
    }
    chosen
}

/// Sentences, and rows of tables; a label of a word or two goes with the sentence behind it on its line.
fn quotable(text: &str) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for span in sentences::of(text) {
        let line = line_at(text, span.start);
        match spans.last_mut() {
            // A row says what it says as a whole, however many abbreviations end in it.
            Some(last) if last.end >= span.end => {}
            _ if is_row(&text[line.clone()]) => spans.push(line),
            Some(last) if is_label(&text[last.clone()]) && last.start >= line.start => last.end = span.end,
            _ => spans.push(span),
        }
    }
    spans
}

fn line_at(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    start..end
}

fn is_row(line: &str) -> bool {
    line.contains(" | ")
}

/// The first row of a table: it names the columns.
fn is_header(text: &str, span: &Range<usize>) -> bool {
    let before = text[..span.start].trim_end_matches('\n');
    let after = text[span.end..].strip_prefix('\n').unwrap_or_default();
    let follows = span.start > 0 && is_row(&before[before.rfind('\n').map_or(0, |end| end + 1)..]);
    is_row(&text[span.clone()]) && !follows && is_row(after.lines().next().unwrap_or_default())
}

/// A line that stands alone above other text and ends like no sentence.
fn is_heading(text: &str, span: &Range<usize>) -> bool {
    let (line, before, after) = (&text[span.clone()], &text[..span.start], &text[span.end..]);
    let is_alone = (before.trim().is_empty() || before.ends_with("\n\n")) && after.starts_with("\n\n");
    let is_item = line.starts_with(['-', '*', '|']) || line.starts_with(|c: char| c.is_ascii_digit());
    let ends = line.ends_with(['.', '!', '?', ':', ';', '"', ')', '\u{201d}']);
    is_alone && !is_item && !ends && line.split_whitespace().count() <= HEADING
}

fn is_label(sentence: &str) -> bool {
    sentence.split_whitespace().count() < LABEL
}

/// The passages that are read, with their places: no document crowds out the others.
fn read(passages: &[Passage]) -> Vec<(usize, &Passage)> {
    let mut read: Vec<(usize, &Passage)> = Vec::new();
    for (at, passage) in passages.iter().enumerate() {
        let of_same = read
            .iter()
            .filter(|(_, other)| other.document.id == passage.document.id)
            .count();
        if of_same < PER_DOCUMENT && read.len() < PASSAGES {
            read.push((at, passage));
        }
    }
    read
}

/// The question's words and what each is worth, 1 in all: rare among the passages is worth more.
pub(super) fn weights(question: &str, asked: &str, passages: &[Passage]) -> BTreeMap<String, f32> {
    let own = asked_words(asked);
    let held: Vec<BTreeSet<String>> = passages
        .iter()
        .map(|passage| words(&format!("{}\n{}", passage.document.title, passage.chunk.text)))
        .collect();
    let worth = |word: &String| {
        let n = held.iter().filter(|words| words.contains(word)).count() as f32;
        let rarity = (1.0 + held.len() as f32 / (n + 0.5)).ln();
        if own.contains(word) { 2.0 * rarity } else { rarity }
    };
    let mut weights: BTreeMap<String, f32> = asked_words(question)
        .into_iter()
        .map(|word| (word.clone(), worth(&word)))
        .collect();
    let whole: f32 = weights.values().sum::<f32>().max(f32::MIN_POSITIVE);
    for weight in weights.values_mut() {
        *weight /= whole;
    }
    weights
}

/// The retriever's order is evidence too.
fn prior(at: usize) -> f32 {
    0.2 / (1.0 + at as f32)
}

/// How much of the question's words a text holds, from 0 to 1.
fn worth(wanted: &BTreeMap<String, f32>, held: &BTreeSet<String>, above: &BTreeSet<String>) -> f32 {
    let worth = |(word, weight): (&String, &f32)| match (held.contains(word), above.contains(word)) {
        (true, _) => *weight,
        // What the title says need not be said again.
        (false, true) => ABOVE * weight,
        (false, false) => 0.0,
    };
    wanted.iter().map(worth).sum()
}

/// What a sentence gains and loses by its form.
fn form(sentence: &str, numeric: bool) -> f32 {
    let number = if numeric && sentence.bytes().any(|byte| byte.is_ascii_digit()) {
        0.15
    } else {
        0.0
    };
    // A label alone answers nothing.
    let short = if sentence.split_whitespace().count() < LABEL {
        -0.3
    } else {
        0.0
    };
    let question = if sentence.ends_with('?') { -0.2 } else { 0.0 };
    number + short + question
}

/// A sentence, or of one that is longer than an answer may be those clauses that hold most of the question's words.
fn clipped<'a>(sentence: &'a str, wanted: &BTreeMap<String, f32>) -> &'a str {
    if sentence.split_whitespace().count() <= WORDS {
        return sentence;
    }
    let breaks = sentence
        .match_indices([',', ';', ':', '\u{2014}'])
        .map(|(at, sign)| at + sign.len());
    let starts: Vec<usize> = [0].into_iter().chain(breaks).chain([sentence.len()]).collect();
    let mut best: Option<(f32, &str)> = None;
    for (at, start) in starts.iter().enumerate() {
        let fits = |end: &&usize| sentence[*start..**end].split_whitespace().count() <= WORDS;
        let Some(end) = starts[at + 1..].iter().rev().find(fits) else {
            continue;
        };
        let part = sentence[*start..*end].trim();
        let held = worth(wanted, &words(part), &BTreeSet::new());
        if !part.is_empty() && best.is_none_or(|(so_far, _)| held > so_far) {
            best = Some((held, part));
        }
    }
    best.map_or_else(|| first_words(sentence), |(_, part)| part)
}

/// As many words as an answer may have.
fn first_words(text: &str) -> &str {
    let end = text
        .split_whitespace()
        .nth(WORDS)
        .map_or(text.len(), |word| word.as_ptr() as usize - text.as_ptr() as usize);
    text[..end].trim_end()
}

fn asks_for_number(question: &str) -> bool {
    let lower = question.to_lowercase();
    [
        "how many",
        "how much",
        "how long",
        "how often",
        "when",
        "what price",
        "cost",
        "limit",
        "how far",
        "how old",
    ]
    .iter()
    .any(|phrase| lower.contains(phrase))
}

/// The words of a question that an answer would repeat; all of them when it only asks.
fn asked_words(question: &str) -> BTreeSet<String> {
    let terms = analyse::terms(question).into_iter();
    let told = terms.filter(|term| !term.stop && !is_asking(&question[term.range.clone()]));
    let told: BTreeSet<String> = told.map(|term| term.text).collect();
    if told.is_empty() { words(question) } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_quoted_whole_and_the_names_of_its_columns_are_no_answer() {
        let text = "Call us. We answer.\n\nRole | Name | Extension\nAcoustics | Dr. Ane Vik | 4621\nFront desk | A. Roe | 4600\n\nThe end.";
        let told: Vec<&str> = quotable(text)
            .into_iter()
            .filter(|span| !is_header(text, span))
            .map(|span| &text[span])
            .collect();
        let rows = ["Acoustics | Dr. Ane Vik | 4621", "Front desk | A. Roe | 4600"];
        assert_eq!(told, ["Call us. We answer.", rows[0], rows[1], "The end."]);
    }

    #[test]
    fn a_sentence_without_end_is_quoted_in_part() {
        let wanted = BTreeMap::from([("anchor".to_owned(), 1.0)]);
        let many = vec!["word"; 70].join(" ");
        let long = format!("{many}, and the anchor is red, {many}.");
        let part = clipped(&long, &wanted);
        assert!(
            part.contains("the anchor is red") && part.split_whitespace().count() <= WORDS,
            "{part}"
        );
        let endless = vec!["word"; 300].join(" ");
        assert_eq!(clipped(&endless, &wanted).split_whitespace().count(), WORDS);
        assert_eq!(clipped("The anchor is red.", &wanted), "The anchor is red.");
    }

    #[test]
    fn a_heading_is_no_sentence() {
        let text = "How many days you have\n\nEveryone has 27 days.\n\n- two more after five years\n\nMore\nthan one line\n\nThe end";
        let headings: Vec<&str> = quotable(text)
            .into_iter()
            .filter(|span| is_heading(text, span))
            .map(|span| &text[span])
            .collect();
        assert_eq!(headings, ["How many days you have"]);
    }
}
