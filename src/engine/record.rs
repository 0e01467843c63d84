//! Passages as JSON: stored with an answer and sent on every wire in the same shape.

use std::ops::Range;

use serde_json::{Value, json};

use crate::types::{Conflict, Context, Finding, Pages, Passage, Scores, SentenceCheck, Side};

/// One passage.
pub fn passage(passage: &Passage) -> Value {
    let mut value = json!({
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
    });
    if let Some(pages) = &passage.chunk.pages {
        value["pages"] = json!(pages.of(&passage.chunk.span));
        if !pages.breaks.is_empty() {
            value["page_breaks"] = json!(pages.breaks);
        }
    }
    value
}

/// The first and the last page of a part of a passage that was written here.
pub fn pages(written: &Value, part: &Range<usize>) -> Option<[u32; 2]> {
    let first = written["pages"][0].as_u64()? as u32;
    let breaks = written["page_breaks"].as_array().into_iter().flatten();
    let breaks = breaks.filter_map(|at| Some(at.as_u64()? as usize)).collect();
    Some(Pages { first, breaks }.of(part))
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

/// What a model sees, what was left out of it and why, and what each part costs.
pub fn context(context: &Context) -> Value {
    let left_out = context.left_out.iter().map(|left| {
        let (reason, number) = left.reason.told();
        json!({
            "id": left.passage.chunk.id.to_string(),
            "collection": left.passage.collection,
            "document": left.passage.document.id.to_string(),
            "title": left.passage.document.title,
            "uri": left.passage.document.uri,
            "span": [left.passage.chunk.span.start, left.passage.chunk.span.end],
            "reason": reason,
            "number": number,
        })
    });
    let ledger = context.ledger.map(|ledger| {
        json!({
            "window": ledger.window,
            "system": ledger.system,
            "memory": ledger.memory,
            "evidence": ledger.evidence,
            "question": ledger.question,
            "answer": ledger.answer,
            "estimated": ledger.estimated,
        })
    });
    json!({
        "passages": numbered(&context.passages),
        "left_out": left_out.collect::<Vec<_>>(),
        "ledger": ledger,
    })
}

/// What became of an answer's sentences.
pub fn sentences(checks: &[SentenceCheck]) -> Value {
    checks.iter().map(sentence).collect()
}

/// Where sources contradict each other.
pub fn conflicts(conflicts: &[Conflict]) -> Value {
    let side = |side: &Side| {
        json!({
            "number": side.number,
            "source_range": [side.source_range.start, side.source_range.end],
            "quote": side.quote,
            "date": side.date,
        })
    };
    let conflict = |conflict: &Conflict| {
        json!({
            "answer_range": [conflict.range.start, conflict.range.end],
            "sides": conflict.sides.iter().map(side).collect::<Vec<_>>(),
        })
    };
    conflicts.iter().map(conflict).collect()
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
