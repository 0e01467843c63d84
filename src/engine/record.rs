//! Passages as JSON: stored with an answer and sent on every wire in the same shape.

use serde_json::{Value, json};

use crate::types::{Finding, Passage, Scores, SentenceCheck};

/// One passage.
pub fn passage(passage: &Passage) -> Value {
    json!({
        "id": passage.chunk.id.to_string(),
        "collection": passage.collection,
        "document": passage.document.id.to_string(),
        "version": passage.document.version,
        "title": passage.document.title,
        "uri": passage.document.uri,
        "heading_path": passage.chunk.heading_path,
        "text": passage.chunk.text,
        "span": [passage.chunk.span.start, passage.chunk.span.end],
        "highlights": passage.highlights.iter().map(|range| json!([range.start, range.end])).collect::<Vec<_>>(),
        "scores": scores(&passage.scores),
        "metadata": passage.document.metadata,
    })
}

/// Passages with their numbers, from 1.
pub fn numbered(passages: &[Passage]) -> Value {
    let list = passages.iter().enumerate().map(|(at, one)| {
        let mut value = passage(one);
        value["number"] = json!(at + 1);
        value
    });
    Value::Array(list.collect())
}

/// What became of an answer's sentences.
pub fn sentences(checks: &[SentenceCheck]) -> Value {
    checks.iter().map(sentence).collect()
}

fn sentence(check: &SentenceCheck) -> Value {
    let mut value = json!({
        "answer_range": [check.range.start, check.range.end],
        "state": check.finding.as_str(),
        "cited": check.cited,
    });
    if let Finding::Unsupported(fault) = &check.finding {
        value["reason"] = json!(fault.as_str());
        value["lacking"] = json!(fault.lacking());
    }
    if !check.removed.is_empty() {
        value["removed"] = json!(check.removed);
    }
    if let Some(number) = check.found_in {
        value["found_in"] = json!(number);
    }
    value
}

fn scores(scores: &Scores) -> Value {
    let mut value = json!({ "fused": scores.fused });
    for (name, score) in [
        ("lexical", scores.lexical),
        ("vector", scores.vector),
        ("rerank", scores.rerank),
        ("reranked", scores.reranked),
        ("expanded", scores.expanded),
        ("recency", scores.recency),
    ] {
        if let Some(score) = score {
            value[name] = json!(score);
        }
    }
    for (name, held) in [("exact", scores.exact), ("names", scores.names)] {
        if held > 0 {
            value[name] = json!(held);
        }
    }
    for (name, rank) in [
        ("lexical_rank", scores.lexical_rank),
        ("vector_rank", scores.vector_rank),
    ] {
        if let Some(rank) = rank {
            value[name] = json!(rank);
        }
    }
    value
}
