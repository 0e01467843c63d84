//! Answers on golden questions: is the right document cited, is what cannot be answered declined?

use std::collections::BTreeMap;
use std::sync::Arc;

use super::asked::ask;
use super::report::{Report, Row};
use super::retrieval;
use crate::cli::sets::{Golden, golden::Question};
use crate::cli::{print, progress};
use crate::engine::Engine;
use crate::error::Result;
use crate::types::{DocumentId, Outcome};

/// The collection that the corpus beside the questions goes to.
pub(super) const COLLECTION: &str = "golden";

/// Retrieval in every mode, then the answers of the extractive route.
pub(super) async fn measure(engine: &Arc<Engine>, set: &Golden, report: &mut Report, tell: bool) -> Result<()> {
    retrieval::measure(engine, COLLECTION, &set.judged(), report).await?;
    let bar = progress::bar("answers", set.questions.len() as u64);
    let mut conversations: BTreeMap<&str, String> = BTreeMap::new();
    for question in &set.questions {
        let before = question
            .follows
            .as_deref()
            .and_then(|id| conversations.get(id))
            .cloned();
        let told = ask(engine, (COLLECTION, &question.text), before).await?;
        conversations.insert(&question.id, told.conversation);
        let outcome = told.verdict.outcome;
        let wanted = question.document.as_deref().map(DocumentId::of);
        let cited = |wanted| told.citations.iter().any(|citation| citation.document == wanted);
        let right = wanted.is_some_and(cited);
        let declined = outcome == Outcome::Declined;
        let mut row = Row::new();
        let mut add = |name: &str, holds: bool| row.insert(name.to_owned(), f64::from(u8::from(holds)));
        if question.answerable {
            add("cited", right);
            add("over_refusal", declined);
        } else {
            add("declined", declined);
        }
        if question.kind == "identifier" {
            add("identifiers", right);
        }
        report.add("answers", &question.id, row);
        let good = if question.answerable { right } else { declined };
        if !good && tell {
            let Question { id, kind, text, .. } = question;
            bar.suspend(|| print(&format!("  miss {id} ({kind}, {}): {text}\n", outcome.as_str())));
        }
        bar.inc(1);
    }
    Ok(())
}
