//! Fits the evidence into a token budget: what says the same goes, what follows one another is joined, and where room is
//! short each passage keeps the sentences that gain most. Never over the budget; the best evidence first.

mod cut;

use crate::engine::duplicates;
use crate::types::{Context, LeftOut, Passage, Reason};

/// Tokens that the fence around one passage costs (number, title, quotes).
const FENCE: usize = 24;

/// Chooses of `passages`, best first, what answers `question` within `budget` tokens.
pub fn fit(question: &str, passages: Vec<Passage>, budget: usize, count: &dyn Fn(&str) -> usize) -> Context {
    let (passages, left_out) = distinct(passages);
    let costs: Vec<usize> = passages.iter().map(|passage| cost(passage, count)).collect();
    let mut context = Context {
        tokens: costs.iter().sum(),
        passages,
        left_out,
        ..Context::default()
    };
    if context.tokens > budget {
        cut::down(question, &mut context, budget, count);
    }
    context
}

/// Takes the best passages as they are while they fit: what `fit` is measured against.
pub fn in_order(passages: Vec<Passage>, budget: usize, count: &dyn Fn(&str) -> usize) -> Context {
    let mut context = Context::default();
    for passage in passages {
        let cost = cost(&passage, count);
        if context.tokens + cost <= budget {
            context.tokens += cost;
            context.passages.push(passage);
        }
    }
    context
}

fn cost(passage: &Passage, count: &dyn Fn(&str) -> usize) -> usize {
    FENCE + count(&passage.document.title) + count(&passage.chunk.text)
}

/// The passages without those that say what a better one says.
fn distinct(passages: Vec<Passage>) -> (Vec<Passage>, Vec<LeftOut>) {
    let texts: Vec<&str> = passages.iter().map(|passage| passage.chunk.text.as_str()).collect();
    let same = duplicates::of(&texts);
    let mut numbers: Vec<Option<usize>> = Vec::new();
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for (passage, same) in passages.into_iter().zip(same) {
        if let Some(number) = same.and_then(|earlier| numbers[earlier]) {
            numbers.push(None);
            left_out.push(LeftOut {
                passage,
                reason: Reason::Same(number),
            });
        } else {
            kept.push(passage);
            numbers.push(Some(kept.len()));
        }
    }
    (kept, left_out)
}

/// Joins passages that follow one another in a document, at the better one's place; `text` gives the document's text.
pub fn join(passages: Vec<Passage>, text: &dyn Fn(&Passage) -> Option<String>) -> Vec<Passage> {
    let mut joined: Vec<Passage> = Vec::new();
    for passage in passages {
        let follows = |other: &Passage| {
            let (own, its) = (passage.chunk.ordinal, other.chunk.ordinal);
            let same = other.collection == passage.collection && other.chunk.document == passage.chunk.document;
            same && (own == its + 1 || its == own + 1)
        };
        let united = joined.iter_mut().find(|other| follows(other)).and_then(|other| {
            let (own, its) = (&passage.chunk.span, &other.chunk.span);
            let span = own.start.min(its.start)..own.end.max(its.end);
            let text = text(&passage)?.get(span.clone())?.to_owned();
            *other = other.stretched(span, text);
            Some(())
        });
        if united.is_none() {
            joined.push(passage);
        }
    }
    joined
}

/// Keeps the latest messages whose tokens fit into `budget`; oldest first in the result, which begins with a question.
pub fn recent<'a>(
    turns: &'a [crate::types::Message],
    budget: usize,
    count: &dyn Fn(&str) -> usize,
) -> &'a [crate::types::Message] {
    let mut used = 0;
    let mut from = turns.len();
    for (at, turn) in turns.iter().enumerate().rev() {
        used += count(&turn.text) + 4;
        if used > budget {
            break;
        }
        from = at;
    }
    let kept = &turns[from..];
    let first = kept.iter().position(|turn| turn.role == crate::types::Role::User);
    &kept[first.unwrap_or(kept.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::citations::tests::passage;
    use crate::types::{Message, Role};

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn texts(context: &Context) -> Vec<&str> {
        context
            .passages
            .iter()
            .map(|passage| passage.chunk.text.as_str())
            .collect()
    }

    fn reasons(context: &Context) -> Vec<Reason> {
        context.left_out.iter().map(|left| left.reason).collect()
    }

    #[test]
    fn what_fits_is_whole_and_nothing_is_there_twice() {
        let found = ["One anchor.", "One anchor.", "Two ropes."].map(passage).to_vec();
        let context = fit("anchor", found, 1_000, &words);
        assert_eq!(texts(&context), ["One anchor.", "Two ropes."]);
        assert_eq!(reasons(&context), [Reason::Same(1)]);
        assert_eq!(context.tokens, 2 * (FENCE + 1 + 2));
    }

    #[test]
    fn where_room_is_short_each_passage_keeps_what_answers() {
        let filler = "Here are some words that say nothing of use. ".repeat(6);
        let first = format!("{filler}The anchor is painted red every spring. {filler}");
        let second = format!("{filler}Ropes hold the anchor. {filler}");
        let third = format!("{filler}Somebody else wrote nothing at all that matters here today.");
        let found: Vec<Passage> = [&first, &second, &third].map(|text| passage(text)).to_vec();
        let context = fit("What colour is the anchor?", found.clone(), 130, &words);
        assert!(context.tokens <= 130, "{}", context.tokens);
        assert!(
            texts(&context)[0].contains("painted red") && texts(&context)[1].contains("Ropes hold"),
            "{context:?}"
        );
        assert_eq!(reasons(&context)[..2], [Reason::Cut(1), Reason::Cut(2)]);
        for cut in &context.passages {
            let start = cut.chunk.span.start - 100;
            let whole = [&first, &second, &third]
                .into_iter()
                .find(|text| text.get(start..start + cut.chunk.span.len()) == Some(&cut.chunk.text));
            assert!(whole.is_some(), "{:?} stands where it says", cut.chunk.span);
        }
        assert!(fit("anchor", found, 0, &words).passages.is_empty());
    }

    #[test]
    fn neighbours_of_a_document_are_one_passage() {
        let document = "x".repeat(100) + "First part.\n\nSecond part.";
        let mut second = passage("Second part.").stretched(113..125, "Second part.".into());
        let mut chunk = second.chunk.as_ref().clone();
        chunk.ordinal = 1;
        second.chunk = std::sync::Arc::new(chunk);
        let found = vec![second, passage("First part.")];
        let joined = join(found.clone(), &|_| Some(document.clone()));
        assert_eq!(joined.len(), 1);
        assert_eq!(
            (joined[0].chunk.text.as_str(), &joined[0].chunk.span),
            ("First part.\n\nSecond part.", &(100..125))
        );
        assert_eq!(join(found, &|_| None).len(), 2);
    }

    #[test]
    fn turns_begin_with_a_question_and_stay_in_their_budget() {
        let turn = |role, text: &str| Message {
            role,
            text: text.into(),
        };
        let turns = [
            turn(Role::User, "aaaaaa"),
            turn(Role::Assistant, "bbbbbb"),
            turn(Role::User, "cccccc"),
            turn(Role::Assistant, "dddddd"),
        ];
        let check = |budget: usize, expected: usize| {
            assert_eq!(recent(&turns, budget, &|text| text.len()).len(), expected, "{budget}");
        };
        check(40, 4);
        check(39, 2);
        check(20, 2);
        check(19, 0);
        check(0, 0);
    }
}
