//! Cuts passages at sentences until they fit: the sentence that gains least goes first, always one at an end, so that
//! what stays of a passage is one stretch of its document.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{FENCE, cost};
use crate::engine::claims::words;
use crate::engine::shingles::Shingles;
use crate::engine::{extractive, sentences};
use crate::types::{Context, LeftOut, Passage, Reason};

/// What a sentence is worth that has none of the question's words.
const PLAIN: f32 = 0.2;
/// What a word of the question is worth that a better passage has, too.
const AGAIN: f32 = 0.5;
/// What a sentence takes over of the worth of the one beside it: it may say who `they` are.
const BESIDE: f32 = 0.5;
/// From here on, two sentences say the same.
const ALIKE: f32 = 0.6;
/// What a sentence is worth that a better passage says, too.
const KNOWN: f32 = 0.3;

/// What the last sentence of a passage is worth more than another one.
const LAST: f32 = 4.0;

/// A passage while it is cut.
struct Part {
    place: usize,
    sentences: Vec<Sentence>,
    kept: Range<usize>,
    tokens: usize,
}

struct Sentence {
    span: Range<usize>,
    tokens: usize,
    gain: f32,
}

/// Cuts the passages of `context` down to `budget`.
pub(super) fn down(question: &str, context: &mut Context, budget: usize, count: &dyn Fn(&str) -> usize) {
    let mut parts = parts(question, &context.passages, count);
    let mut total: usize = context.tokens;
    loop {
        while total > budget {
            let Some(dropped) = drop_least(&mut parts) else { break };
            total = total.saturating_sub(dropped);
        }
        let cut: Vec<(usize, Passage)> = parts
            .iter()
            .filter_map(|part| Some((part.place, part.passage(context)?)))
            .collect();
        let exact: usize = cut.iter().map(|(_, passage)| cost(passage, count)).sum();
        // Sentences were counted by their share of the passage: what that missed is cut as well.
        if exact <= budget {
            finish(context, cut, exact);
            return;
        }
        total = exact;
    }
}

fn finish(context: &mut Context, cut: Vec<(usize, Passage)>, tokens: usize) {
    let whole = std::mem::take(&mut context.passages);
    let mut kept: BTreeMap<usize, Passage> = cut.into_iter().collect();
    let mut numbers = BTreeMap::new();
    for (place, passage) in whole.into_iter().enumerate() {
        match kept.remove(&place) {
            Some(stays) => {
                numbers.insert(place + 1, context.passages.len() + 1);
                if stays.chunk.text.len() < passage.chunk.text.len() {
                    let number = context.passages.len() + 1;
                    context.left_out.push(LeftOut {
                        passage,
                        reason: Reason::Cut(number),
                    });
                }
                context.passages.push(stays);
            }
            None => context.left_out.push(LeftOut {
                passage,
                reason: Reason::Room,
            }),
        }
    }
    // What says the same as a passage that moved up names its new number.
    for left in &mut context.left_out {
        if let Reason::Same(number) = &mut left.reason {
            match numbers.get(number) {
                Some(new) => *number = *new,
                None => left.reason = Reason::Room,
            }
        }
    }
    context.tokens = tokens;
}

fn parts(question: &str, passages: &[Passage], count: &dyn Fn(&str) -> usize) -> Vec<Part> {
    let weights = extractive::weights(question, question, passages);
    let mut held: BTreeSet<String> = BTreeSet::new();
    let mut known: Vec<Shingles> = Vec::new();
    let mut parts = Vec::new();
    for (place, passage) in passages.iter().enumerate() {
        let text = &passage.chunk.text;
        let tokens = count(text);
        let spans = sentences::of(text);
        let said: Vec<BTreeSet<String>> = spans.iter().map(|span| words(&text[span.clone()])).collect();
        let shingles: Vec<Shingles> = spans.iter().map(|span| Shingles::of(&text[span.clone()], 2)).collect();
        let worth = |at: usize| {
            let told = weights.iter().filter(|(word, _)| said[at].contains(*word));
            let told: f32 = told
                .map(|(word, weight)| if held.contains(word) { AGAIN * weight } else { *weight })
                .sum();
            let again = known.iter().any(|other| other.likeness(&shingles[at]) >= ALIKE);
            (PLAIN + told) * if again { KNOWN } else { 1.0 }
        };
        let worths: Vec<f32> = (0..spans.len()).map(worth).collect();
        let beside = |at: usize| {
            let before = at.checked_sub(1).map_or(0.0, |at| worths[at]);
            BESIDE * before.max(worths.get(at + 1).copied().unwrap_or_default())
        };
        let kept: Vec<Sentence> = spans
            .iter()
            .enumerate()
            .map(|(at, span)| Sentence {
                tokens: (tokens * span.len()).div_ceil(text.len().max(1)),
                gain: worths[at].max(beside(at)) / (1.0 + place as f32),
                span: span.clone(),
            })
            .collect();
        parts.push(Part {
            place,
            kept: 0..kept.len(),
            tokens: FENCE + count(&passage.document.title),
            sentences: kept,
        });
        held.extend(said.into_iter().flatten());
        known.extend(shingles);
    }
    parts
}

/// Drops the sentence at an end that gains least for its tokens; with the last one goes the fence. Returns the tokens
/// that it cost.
fn drop_least(parts: &mut [Part]) -> Option<usize> {
    let mut least: Option<(f32, usize, bool)> = None;
    for (at, part) in parts.iter().enumerate() {
        let ends = [(part.kept.start, true), (part.kept.end.wrapping_sub(1), false)];
        for (end, first) in ends {
            let Some(sentence) = part.sentences.get(end).filter(|_| !part.kept.is_empty()) else {
                continue;
            };
            // With its last sentence a passage goes, and what only it could say.
            let gain = if part.kept.len() == 1 {
                LAST * sentence.gain
            } else {
                sentence.gain
            };
            let density = gain / sentence.tokens.max(1) as f32;
            if least.is_none_or(|(so_far, ..)| density < so_far) {
                least = Some((density, at, first));
            }
        }
    }
    let (_, at, first) = least?;
    let part = &mut parts[at];
    let end = if first { part.kept.start } else { part.kept.end - 1 };
    if first {
        part.kept.start += 1;
    } else {
        part.kept.end -= 1;
    }
    Some(part.sentences[end].tokens + if part.kept.is_empty() { part.tokens } else { 0 })
}

impl Part {
    fn passage(&self, context: &Context) -> Option<Passage> {
        let passage = &context.passages[self.place];
        if self.kept.len() == self.sentences.len() && !self.kept.is_empty() {
            return Some(passage.clone());
        }
        let first = self.sentences[self.kept.clone()].first()?;
        let last = self.sentences[self.kept.clone()].last()?;
        let start = passage.chunk.span.start;
        let text = passage.chunk.text[first.span.start..last.span.end].to_owned();
        Some(passage.stretched(start + first.span.start..start + last.span.end, text))
    }
}
