//! Sources that contradict an answer: another state of the same document says the same with other numbers.

use std::collections::BTreeSet;

use crate::engine::citations::{Tracker, without_marks};
use crate::engine::claims::Claim;
use crate::engine::facts;
use crate::types::{Conflict, Fault, Finding, Passage, SentenceCheck, Side};

/// So much of the sentence must stand in the other source for its number to speak of the same thing.
const LEAST_SHARE: f32 = 0.6;
/// More would bury the answer.
const MOST: usize = 4;

/// What contradicts the supported sentences among `checks`.
pub fn of(tracker: &Tracker, checks: &[SentenceCheck]) -> Vec<Conflict> {
    let supported = checks.iter().filter(|check| check.finding == Finding::Supported);
    let mut found: Vec<Conflict> = Vec::new();
    for check in supported {
        let Some(own) = tracker
            .citations()
            .iter()
            .find(|citation| check.range.contains(&citation.answer_range.start))
        else {
            continue;
        };
        let words = without_marks(&tracker.text()[check.range.clone()]);
        let claim = Claim::of(words.trim());
        for (at, other) in tracker.passages().iter().enumerate() {
            let Some(ours) = tracker
                .passages()
                .get(own.number - 1)
                .filter(|ours| are_states(ours, other))
            else {
                continue;
            };
            let number = at + 1;
            let Some(bearing) = tracker.bearing(&claim, number) else {
                continue;
            };
            let differs = matches!(bearing.fault, Some(Fault::Numbers(_) | Fault::Dates(_)));
            let quote = &other.chunk.text[bearing.span.clone()];
            if !differs || bearing.share < LEAST_SHARE || !quote.contains(|c: char| c.is_ascii_digit()) {
                continue;
            }
            let start = other.chunk.span.start;
            found.push(Conflict {
                range: check.range.clone(),
                sides: [
                    Side {
                        number: own.number,
                        source_range: own.source_range.clone(),
                        quote: own.quote.clone(),
                        date: date(ours),
                    },
                    Side {
                        number,
                        source_range: start + bearing.span.start..start + bearing.span.end,
                        quote: quote.to_owned(),
                        date: date(other),
                    },
                ],
            });
        }
    }
    found.truncate(MOST);
    found
}

/// Whether two documents are one at different times: their titles are the same but for numbers that are years.
fn are_states(ours: &Passage, other: &Passage) -> bool {
    let same = ours.collection == other.collection && ours.document.id == other.document.id;
    !same && timeless(&ours.document.title) == timeless(&other.document.title)
}

fn timeless(title: &str) -> BTreeSet<String> {
    let stated = facts::stated(title).dates;
    let dates: BTreeSet<String> = stated.into_iter().map(|fact| fact.key.to_lowercase()).collect();
    let words = facts::held(title).into_iter().map(|word| word.to_lowercase());
    words.filter(|word| !dates.contains(word)).collect()
}

fn date(passage: &Passage) -> Option<String> {
    let date = passage.document.metadata.get("date")?;
    date.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::checks;
    use crate::engine::citations::tests::passage;
    use crate::types::{DocumentCard, DocumentId};

    fn titled(title: &str, text: &str) -> Passage {
        let mut passage = passage(text);
        let mut card = DocumentCard::clone(&passage.document);
        card.title = title.to_owned();
        card.id = DocumentId::of(title);
        card.metadata
            .insert("date".into(), title.rsplit(' ').next().unwrap_or_default().into());
        passage.document = Arc::new(card);
        passage
    }

    #[test]
    fn an_older_state_of_a_document_says_another_number() {
        let passages = vec![
            titled(
                "Travel policy 2025",
                "The ceiling is 145 EUR a night including breakfast.",
            ),
            titled(
                "Travel policy 2023",
                "Economy class. The ceiling is 110 EUR a night including breakfast.",
            ),
            titled("Hostels 2023", "The ceiling is 60 EUR a night including breakfast."),
            titled(
                "Travel policy 2021",
                "The ceiling is 145 EUR a night including breakfast.",
            ),
        ];
        let mut tracker = Tracker::new(passages, "");
        tracker.push("The hotel ceiling is 145 EUR a night including breakfast [1].");
        tracker.finish();
        let found = of(&tracker, &checks::of(&tracker));
        let told: Vec<(usize, &str, Option<&str>)> = found
            .iter()
            .flat_map(|conflict| &conflict.sides)
            .map(|side| (side.number, side.quote.as_str(), side.date.as_deref()))
            .collect();
        let [new, old] = [
            "The ceiling is 145 EUR a night including breakfast.",
            "The ceiling is 110 EUR a night including breakfast.",
        ];
        assert_eq!(told, [(1, new, Some("2025")), (2, old, Some("2023"))]);
        assert_eq!(found[0].sides[1].source_range.start, 115);
    }
}
