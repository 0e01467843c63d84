//! Each sentence of an answer, held against its passages once the answer is whole.

use std::ops::Range;

use crate::engine::citations::{Tracker, without_marks};
use crate::engine::claims::Claim;
use crate::engine::sentences::{self, trimmed};
use crate::engine::support::Bearing;
use crate::types::{Fault, Finding, SentenceCheck};

/// Checks every sentence of what `tracker` followed.
pub fn of(tracker: &Tracker) -> Vec<SentenceCheck> {
    let text = tracker.text();
    let code = code(text);
    let mut checks = Vec::new();
    for sentence in sentences::of(text) {
        let range = bare(text, sentence.clone());
        if range.is_empty() {
            continue;
        }
        let within = |at: usize| sentence.contains(&at);
        let mut cited: Vec<usize> = tracker
            .citations()
            .iter()
            .filter(|citation| within(citation.answer_range.start))
            .map(|citation| citation.number)
            .collect();
        cited.sort_unstable();
        cited.dedup();
        let removed: Vec<usize> = tracker
            .removed()
            .iter()
            .filter(|mark| within(mark.claim_start))
            .map(|mark| mark.number)
            .collect();
        let is_code = code.iter().any(|code| code.start < range.end && range.start < code.end);
        let (finding, found_in) = if is_code {
            (Finding::Plain, None)
        } else {
            judge(tracker, &range, (&cited, &removed))
        };
        checks.push(SentenceCheck {
            range,
            finding,
            cited,
            removed,
            found_in,
        });
    }
    checks
}

/// What of the sentence no mark covers must stand in the passages, too.
fn judge(tracker: &Tracker, range: &Range<usize>, (cited, removed): (&[usize], &[usize])) -> (Finding, Option<usize>) {
    let open = uncovered(tracker, range);
    let claim = Claim::of(&open);
    let says_nothing = !claim.is_checkable() || sentences::is_refusal(&open) || open.ends_with([':', '?']);
    if says_nothing && removed.is_empty() {
        let finding = if cited.is_empty() {
            Finding::Plain
        } else {
            Finding::Supported
        };
        return (finding, None);
    }
    if cited
        .iter()
        .filter_map(|number| tracker.bearing(&claim, *number))
        .any(|found| found.is_support())
    {
        return (Finding::Supported, None);
    }
    let supports = tracker.best(&claim, Bearing::is_support).map(|(number, _)| number);
    match supports {
        Some(number) if removed.is_empty() => (Finding::Supported, Some(number)),
        Some(number) => (Finding::Unsupported(Fault::Citation), Some(number)),
        None => (Finding::Unsupported(fault(tracker, &claim, (cited, removed))), None),
    }
}

/// What the passages that it cites, or all of them, lack least.
fn fault(tracker: &Tracker, claim: &Claim<'_>, (cited, removed): (&[usize], &[usize])) -> Fault {
    let own = cited
        .iter()
        .chain(removed)
        .filter_map(|number| tracker.bearing(claim, *number));
    let own = own.max_by(|left, right| left.share.total_cmp(&right.share));
    let nearest = own.or_else(|| tracker.best(claim, |_| true).map(|(_, found)| found));
    nearest.and_then(|found| found.fault).unwrap_or(Fault::Words)
}

/// The words of a sentence that belong to no checked citation, without marks.
fn uncovered(tracker: &Tracker, range: &Range<usize>) -> String {
    let text = tracker.text();
    let mut open = String::new();
    let mut at = range.start;
    for citation in tracker.citations() {
        let covered = citation.answer_range.start.max(at)..citation.answer_range.end.min(range.end);
        if covered.start < covered.end {
            open.push_str(&text[at..covered.start]);
            at = covered.end;
        }
    }
    open.push_str(&text[at.min(range.end)..range.end]);
    without_marks(&open).trim().to_owned()
}

/// `range` without the marks, the signs of lists and the white space at its ends.
fn bare(text: &str, range: Range<usize>) -> Range<usize> {
    let (mut start, mut end) = (range.start, range.end);
    loop {
        let part = &text[start..end];
        let shorter = without_marks(part);
        let kept = trimmed(text, start..end);
        // A mark at an end leaves white space there, or moves it.
        let first = part.trim_start().starts_with('[') && !shorter.trim_start().starts_with('[');
        let skipped = if first {
            part.find(']').map_or(0, |at| at + 1)
        } else {
            0
        };
        let (next_start, next_end) = (kept.start.max(start + skipped), kept.end);
        if (next_start, next_end) == (start, end) || next_start >= next_end {
            return next_start.min(next_end)..next_end;
        }
        (start, end) = (next_start, next_end);
    }
}

/// The fenced blocks of a text.
fn code(text: &str) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let mut open = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let fence = line.trim_start().starts_with("```");
        match open {
            None if fence => open = Some(at),
            Some(start) if fence => {
                blocks.push(start..at + line.len());
                open = None;
            }
            _ => {}
        }
        at += line.len();
    }
    blocks.extend(open.map(|start| start..text.len()));
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::citations::tests::passage;

    const LEAVE: &str = "Employees get 27 days of leave a year. Requests go to Lotte Vinter by 31 March.";
    const PAY: &str = "Overtime is paid at twice the rate after ten hours of work.";

    /// Each sentence with what was found: `supported`, `plain`, or the fault.
    fn check(answer: &str, expected: &[(&str, &str)]) {
        let mut tracker = Tracker::new(vec![passage(LEAVE), passage(PAY)], "What leave is there?");
        tracker.push(answer);
        tracker.finish();
        let found = of(&tracker);
        let told: Vec<(&str, &str)> = found
            .iter()
            .map(|check| {
                let word = match &check.finding {
                    Finding::Unsupported(fault) => fault.as_str(),
                    finding => finding.as_str(),
                };
                (&tracker.text()[check.range.clone()], word)
            })
            .collect();
        assert_eq!(told, expected, "{answer}");
    }

    #[test]
    fn each_kind_of_fault_is_told() {
        check(
            "Employees get 27 days of leave a year [1].",
            &[("Employees get 27 days of leave a year [1].", "supported")],
        );
        check(
            "Employees get 29 days of leave [1].",
            &[("Employees get 29 days of leave .", "numbers")],
        );
        check(
            "Requests go to Tove Vinter [1].",
            &[("Requests go to Tove Vinter .", "names")],
        );
        check(
            "Requests go to Lotte Vinter by 31 May [1].",
            &[("Requests go to Lotte Vinter by 31 May .", "dates")],
        );
        check(
            "Employees get no leave in a year [1].",
            &[("Employees get no leave in a year .", "negation")],
        );
        check(
            "Employees get 27 days of leave a year [2].",
            &[("Employees get 27 days of leave a year .", "citation")],
        );
        check(
            "The canteen bakes excellent cakes on demand [1].",
            &[("The canteen bakes excellent cakes on demand .", "words")],
        );
    }

    #[test]
    fn a_sentence_is_judged_for_itself() {
        check(
            "Here it is:\nEmployees get 27 days of leave. [1] Overtime is paid at twice the rate after nine hours.\n```\nlet a = 5;\n```\nThe documents do not say more.",
            &[
                ("Here it is:", "plain"),
                ("Employees get 27 days of leave.", "supported"),
                ("Overtime is paid at twice the rate after nine hours.", "numbers"),
                ("let a = 5;", "plain"),
                ("The documents do not say more.", "plain"),
            ],
        );
        check(
            "Employees get 27 days of leave a year [1], and overtime is paid at twice the rate [2], but only after midnight on Friday.",
            &[(
                "Employees get 27 days of leave a year [1], and overtime is paid at twice the rate [2], but only after midnight on Friday.",
                "dates",
            )],
        );
    }

    #[test]
    fn what_was_taken_out_and_where_the_words_stand_is_told() {
        let mut tracker = Tracker::new(vec![passage(LEAVE), passage(PAY)], "");
        tracker.push("Employees get 27 days of leave [2][9].");
        tracker.finish();
        let [check] = &of(&tracker)[..] else {
            panic!("one sentence")
        };
        assert_eq!((check.removed.as_slice(), check.found_in), ([2, 9].as_slice(), Some(1)));
        assert!(check.cited.is_empty());
    }
}
