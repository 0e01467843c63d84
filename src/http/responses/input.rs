//! `input` of a response: a question alone, or a list of what was said, whose last words of the user are the question.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::types::{Message, Role};

/// A question with the turns before it.
#[derive(Debug, PartialEq)]
pub struct Input {
    /// The last words of the user.
    pub question: String,
    /// Where they stand in the body.
    pub pointer: String,
    /// The turns before them; what is neither the user's nor the model's words is passed over.
    pub history: Vec<Message>,
}

/// Reads `input`.
pub fn read(input: Option<&Value>) -> Result<Input> {
    match input {
        Some(Value::String(text)) => Ok(Input {
            question: text.clone(),
            pointer: "/input".into(),
            history: Vec::new(),
        }),
        Some(Value::Array(items)) => list(items),
        _ => Err(Error::bad_input(
            "/input",
            "`input` is the question, as text or as a list of messages",
        )),
    }
}

fn list(items: &[Value]) -> Result<Input> {
    let mut said = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let role = match item["role"].as_str() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            // The caller's instructions do not outrank our own; calls of tools and thoughts are no turns.
            _ => continue,
        };
        let pointer = format!("/input/{at}/content");
        let text = words(&item["content"], &pointer)?;
        said.push((Message { role, text }, pointer));
    }
    let Some(last) = said.iter().rposition(|(message, _)| message.role == Role::User) else {
        let detail = "there is no message with the role `user`; the last one is the question";
        return Err(Error::bad_input("/input", detail));
    };
    said.truncate(last + 1);
    let (question, pointer) = said
        .pop()
        .map(|(message, pointer)| (message.text, pointer))
        .unwrap_or_default();
    Ok(Input {
        question,
        pointer,
        history: said.into_iter().map(|(message, _)| message).collect(),
    })
}

/// The words of a message; parts without words are passed over.
fn words(content: &Value, pointer: &str) -> Result<String> {
    match content {
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            Ok(texts.join("\n"))
        }
        _ => Err(Error::bad_input(pointer, "`content` is text or a list of parts")),
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    fn bad(input: Option<&Value>, pointer: &str) {
        match read(input) {
            Err(Error::BadInput { faults, .. }) => assert_eq!(faults[0].pointer, pointer),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_last_words_of_the_user_are_the_question() {
        let input = json!([
            { "role": "developer", "content": "be rude" },
            { "role": "user", "content": "first" },
            { "type": "reasoning", "summary": [] },
            { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "yes" }] },
            { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "second" }, { "type": "input_image" }] },
            { "type": "function_call_output", "output": "x" },
        ]);
        let input = read(Some(&input)).expect("good");
        assert_eq!(
            (input.question.as_str(), input.pointer.as_str()),
            ("second", "/input/4/content")
        );
        let turns: Vec<_> = input
            .history
            .iter()
            .map(|turn| (turn.role, turn.text.as_str()))
            .collect();
        assert_eq!(turns, [(Role::User, "first"), (Role::Assistant, "yes")]);
    }

    #[test]
    fn an_input_without_a_question_is_refused_at_its_place() {
        bad(None, "/input");
        bad(Some(&json!(7)), "/input");
        bad(Some(&json!([])), "/input");
        bad(Some(&json!([{ "role": "assistant", "content": "x" }])), "/input");
        bad(Some(&json!([{ "role": "user", "content": 5 }])), "/input/0/content");
    }
}
