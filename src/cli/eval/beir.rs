//! nDCG@10, recall@100 and MRR@10 of every mode on a BEIR folder (Thakur et al. 2021).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use super::read_lines;
use crate::app;
use crate::cli::print;
use crate::config::Config;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::types::{Filter, Item, MAX_LIMIT, Metadata, Mode, Query, QueryInput, Reader};

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    title: String,
    text: String,
}

type Judgements = BTreeMap<String, BTreeMap<String, f64>>;

pub(super) async fn run(config: &Config, folder: &Path, json: bool) -> Result<ExitCode> {
    let documents: Vec<Row> = read_lines(&folder.join("corpus.jsonl"))?;
    let queries: Vec<Row> = read_lines(&folder.join("queries.jsonl"))?;
    let judgements = judgements(&folder.join("qrels.tsv"))?;
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("beir")
        .to_lowercase();
    let engine = app::open(config).await?;
    index(&engine, &name, documents).await?;
    if !json {
        print("mode      nDCG@10  R@100   MRR@10  p50 ms  p95 ms\n");
    }
    for mode in [Mode::Lexical, Mode::Vector, Mode::Hybrid] {
        let label = format!("{mode:?}").to_lowercase();
        let figures = measure(&engine, &name, &queries, &judgements, mode).await?;
        let [ndcg, recall, mrr, p50, p95] = figures;
        if json {
            let row = json!({"mode": label, "ndcg_at_10": ndcg, "recall_at_100": recall, "mrr_at_10": mrr,
                "p50_ms": p50, "p95_ms": p95});
            print(&format!("{row}\n"));
        } else {
            print(&format!(
                "{label:<9} {ndcg:.4}   {recall:.4}  {mrr:.4}  {p50:6.1}  {p95:6.1}\n"
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn index(engine: &Arc<Engine>, name: &str, documents: Vec<Row>) -> Result<()> {
    let items = documents.into_iter().map(|row| Item {
        uri: row.id,
        media_type: Some("text/plain".into()),
        bytes: row.text.into_bytes(),
        metadata: Metadata::from([("title".to_owned(), json!(row.title))]),
        principals: Vec::new(),
        modified: None,
    });
    let job = engine.put(name, items.collect()).await?;
    let mut pulse = tokio::time::interval(Duration::from_secs(1));
    loop {
        pulse.tick().await;
        let state = engine.job(&job).await?;
        match state["state"].as_str() {
            Some("running") => {}
            Some("done") => return Ok(()),
            _ => return Err(Error::Internal(format!("indexing failed: {}", state["errors"]))),
        }
    }
}

async fn measure(
    engine: &Engine,
    name: &str,
    queries: &[Row],
    judgements: &Judgements,
    mode: Mode,
) -> Result<[f64; 5]> {
    let (mut ndcg, mut recall, mut mrr, mut times) = (0.0, 0.0, 0.0, Vec::new());
    for row in queries.iter().filter(|row| judgements.contains_key(&row.id)) {
        let started = Instant::now();
        let mut ranked = page(engine, name, row, mode, 0).await?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        if ranked.len() < MAX_LIMIT {
            // Several passages of one document fill a page; recall is over documents.
            let second = page(engine, name, row, mode, MAX_LIMIT).await?;
            ranked.extend(
                second
                    .into_iter()
                    .filter(|uri| !ranked.contains(uri))
                    .collect::<Vec<_>>(),
            );
            ranked.truncate(MAX_LIMIT);
        }
        let wanted = &judgements[&row.id];
        ndcg += ndcg_at(&ranked, wanted, 10);
        recall += share_found(&ranked, wanted);
        mrr += reciprocal(&ranked, wanted);
    }
    let n = times.len().max(1) as f64;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((share * n) as usize).copied().unwrap_or_default();
    Ok([ndcg / n, recall / n, mrr / n, at(0.5), at(0.95)])
}

/// Documents of one page of results, best first.
async fn page(engine: &Engine, name: &str, row: &Row, mode: Mode, offset: usize) -> Result<Vec<String>> {
    let input = QueryInput {
        text: row.text.clone(),
        collections: vec![name.to_owned()],
        filter: Filter::default(),
        mode,
        limit: Some(MAX_LIMIT),
        offset,
        ..QueryInput::default()
    };
    let found = engine.search(&Query::parse(input, Reader::Everything)?).await?;
    let mut seen = BTreeSet::new();
    let uris = found.passages.iter().map(|passage| passage.document.uri.clone());
    Ok(uris.filter(|uri| seen.insert(uri.clone())).collect())
}

fn ndcg_at(ranked: &[impl AsRef<str>], wanted: &BTreeMap<String, f64>, depth: usize) -> f64 {
    let gain = |at: usize, grade: f64| grade / (at as f64 + 2.0).log2();
    let got: f64 = ranked
        .iter()
        .take(depth)
        .enumerate()
        .map(|(at, id)| gain(at, wanted.get(id.as_ref()).copied().unwrap_or(0.0)))
        .sum();
    let mut best: Vec<f64> = wanted.values().copied().collect();
    best.sort_by(|a, b| b.total_cmp(a));
    let ideal: f64 = best
        .iter()
        .take(depth)
        .enumerate()
        .map(|(at, grade)| gain(at, *grade))
        .sum();
    if ideal > 0.0 { got / ideal } else { 0.0 }
}

fn share_found(ranked: &[impl AsRef<str>], wanted: &BTreeMap<String, f64>) -> f64 {
    let relevant: Vec<&String> = wanted
        .iter()
        .filter(|(_, grade)| **grade > 0.0)
        .map(|(id, _)| id)
        .collect();
    let found = relevant
        .iter()
        .filter(|id| ranked.iter().any(|found| found.as_ref() == id.as_str()))
        .count();
    if relevant.is_empty() {
        0.0
    } else {
        found as f64 / relevant.len() as f64
    }
}

fn reciprocal(ranked: &[impl AsRef<str>], wanted: &BTreeMap<String, f64>) -> f64 {
    let first = ranked
        .iter()
        .take(10)
        .position(|id| wanted.get(id.as_ref()).is_some_and(|grade| *grade > 0.0));
    first.map_or(0.0, |at| 1.0 / (at as f64 + 1.0))
}

fn judgements(file: &Path) -> Result<Judgements> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Error::bad_input("/path", format!("cannot read `{}`: {error}", file.display())))?;
    let mut judgements = Judgements::new();
    for line in text.lines() {
        let parts: Vec<&str> = line.split('\t').collect();
        if let [query, document, grade] = parts.as_slice()
            && let Ok(grade) = grade.trim().parse::<f64>()
        {
            judgements
                .entry((*query).to_owned())
                .or_default()
                .insert((*document).to_owned(), grade);
        }
    }
    Ok(judgements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_follow_their_definitions() {
        let wanted = BTreeMap::from([("a".to_owned(), 1.0), ("b".to_owned(), 1.0)]);
        assert!((ndcg_at(&["a", "b"], &wanted, 10) - 1.0).abs() < 1e-9);
        assert!((ndcg_at(&["x", "a"], &wanted, 10) - 0.6309 / 1.6309).abs() < 1e-3);
        assert!((share_found(&["b", "x"], &wanted) - 0.5).abs() < 1e-9);
        assert!((reciprocal(&["x", "b"], &wanted) - 0.5).abs() < 1e-9);
    }
}
