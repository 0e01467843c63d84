//! Fits passages into a token budget. Never over it; the best evidence first.

use crate::types::{Context, Passage};

/// Tokens that the fence around one passage costs (number, title, quotes).
const FENCE: usize = 24;

/// Takes passages in order while they fit into `budget` tokens; a later, shorter one may still fit.
pub fn in_order(passages: Vec<Passage>, budget: usize, count: &dyn Fn(&str) -> usize) -> Context {
    let mut context = Context::default();
    for passage in passages {
        if context
            .passages
            .iter()
            .any(|taken| taken.chunk.text == passage.chunk.text)
        {
            context.dropped += 1;
            continue;
        }
        let cost = FENCE + count(&passage.document.title) + count(&passage.chunk.text);
        if context.tokens + cost > budget {
            context.dropped += 1;
            continue;
        }
        context.tokens += cost;
        context.passages.push(passage);
    }
    context
}

/// Takes what fits into `budget` tokens.
pub fn fit(passages: Vec<Passage>, budget: usize, count: &dyn Fn(&str) -> usize) -> Context {
    in_order(passages, budget, count)
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
    use crate::types::{Message, Role};

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
