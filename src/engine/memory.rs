//! Makes a follow-up question self-contained with the words of the conversation, without a model.

use crate::index::analyse;
use crate::types::{Message, Role};

/// Words that point back.
const POINTERS: &[&str] = &[
    "it", "its", "they", "them", "their", "that", "those", "these", "this", "he", "she", "his", "her", "one", "ones",
    "there", "same", "former", "latter", "then",
];
/// Beginnings that continue.
const CONTINUATIONS: &[&str] = &[
    "and ",
    "but ",
    "or ",
    "so ",
    "what about",
    "how about",
    "what if",
    "also ",
    "then ",
    "same ",
];

/// The question to search for: `question` itself, or with the last question's words when it cannot stand alone.
pub fn stand_alone(question: &str, turns: &[Message]) -> String {
    let asked: Vec<&str> = turns
        .iter()
        .filter(|turn| turn.role == Role::User)
        .map(|turn| turn.text.as_str())
        .collect();
    let Some(last) = asked.last() else {
        return question.to_owned();
    };
    if !is_follow_up(question) {
        return question.to_owned();
    }
    // The last question may itself have been a follow-up: then the one before it names the matter.
    let mut context = String::new();
    if is_follow_up(last)
        && let Some(before) = asked.len().checked_sub(2).and_then(|at| asked.get(at))
    {
        context.push_str(before);
        context.push(' ');
    }
    context.push_str(last);
    format!("{context} {question}")
}

/// Whether a question needs the ones before it.
pub fn is_follow_up(question: &str) -> bool {
    let lower = question.trim().to_lowercase();
    if CONTINUATIONS.iter().any(|start| lower.starts_with(start)) {
        return true;
    }
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|w| !w.is_empty())
        .collect();
    let content = analyse::terms(question).into_iter().filter(|term| !term.stop).count();
    // A short question without a word that points back is a new one.
    content == 0 || (content <= 6 && words.iter().any(|word| POINTERS.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(question: &str, earlier: &[&str], expected: &str) {
        let turns: Vec<Message> = earlier
            .iter()
            .map(|text| Message {
                role: Role::User,
                text: (*text).to_owned(),
            })
            .collect();
        assert_eq!(stand_alone(question, &turns), expected);
    }

    #[test]
    fn a_follow_up_takes_the_last_questions_words() {
        check(
            "And how many can be carried over?",
            &["How many days of leave do we get?"],
            "How many days of leave do we get? And how many can be carried over?",
        );
        check(
            "how long does it take",
            &["How is the gyro calibrated?"],
            "How is the gyro calibrated? how long does it take",
        );
    }

    #[test]
    fn a_whole_question_stands_alone() {
        let whole = "Which approvals does a purchase order above 5,000 euros need?";
        check(whole, &["How many days of leave do we get?"], whole);
        check(
            "Who won Eurovision?",
            &["How many days of leave do we get?"],
            "Who won Eurovision?",
        );
        check("it", &[], "it");
    }
}
