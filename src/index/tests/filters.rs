//! Both legs and `matches` read a filter alike.

#![allow(clippy::too_many_lines, reason = "the table of cases is one list")]

use serde_json::json;

use super::contract::named;
use super::double::Double;
use super::*;
use crate::types::Bounds;

#[tokio::test]
async fn both_legs_read_a_filter_alike() {
    alike(None).await;
    alike(Some(Double::up().store("docs"))).await;
    if let Some(store) = named("portolan-filters") {
        alike(Some(store)).await;
    }
}

async fn alike(vectors: Option<Arc<dyn VectorStore>>) {
    let facts = [
        json!({"n": 1, "kind": "guide", "tags": ["x", "y"], "draft": true, "date": "2024-01-31"}),
        json!({"n": 2.5, "kind": "note", "tags": [], "draft": false, "date": "2024-02-01", "a.b c": 1}),
        json!({"n": -3, "kind": "guide", "tags": ["y", 4], "date": "2025-01-01", "q\"uote": "z"}),
        json!({"n": null, "nested": {"n": 1}}),
    ];
    let batch = facts.iter().enumerate().map(|(number, facts)| {
        let metadata: Metadata = serde_json::from_value(facts.clone()).unwrap();
        make(&number.to_string(), &["word"], number, (metadata, Vec::new()))
    });
    let (_folder, collection) = filled_over(vectors, batch.collect()).await;
    let check = async |filter: Filter, expected: &[&str]| {
        let lexical = asked(&collection, "word", &filter, &everyone());
        let vector = collection.vector(axis(0), &filter, &everyone(), 10).await.unwrap();
        for (leg, hits) in [("lexical", lexical), ("vector", vector)] {
            let mut found = uris(&collection, &hits);
            found.sort();
            assert_eq!(found, expected, "{leg} {filter:?}");
        }
        let direct = facts.iter().enumerate().filter(|(_, facts)| {
            let metadata = serde_json::from_value((*facts).clone()).unwrap();
            filter::matches(&filter, &metadata)
        });
        let direct: Vec<_> = direct.map(|(number, _)| number.to_string()).collect();
        assert_eq!(direct, expected, "matches {filter:?}");
    };
    let one = |field: &str, value| Filter::In(field.into(), vec![value]);
    let range = |field: &str, bounds| Filter::Range(field.into(), bounds);
    let not = |part| Filter::Not(Box::new(part));
    let from = |value| Bounds {
        gte: Some(value),
        ..Bounds::default()
    };
    let after = |value| Bounds {
        gt: Some(value),
        ..Bounds::default()
    };
    let to = |value| Bounds {
        lte: Some(value),
        ..Bounds::default()
    };
    let before = |value| Bounds {
        lt: Some(value),
        ..Bounds::default()
    };
    check(anything(), &["0", "1", "2", "3"]).await;
    check(one("kind", json!("guide")), &["0", "2"]).await;
    check(one("kind", json!("gui")), &[]).await;
    check(Filter::In("kind".into(), vec![]), &[]).await;
    check(one("n", json!(1.0)), &["0"]).await;
    check(one("n", json!(2.5)), &["1"]).await;
    check(one("n", json!("1")), &[]).await;
    check(one("n", json!(null)), &[]).await;
    check(one("draft", json!(false)), &["1"]).await;
    check(one("tags", json!("y")), &["0", "2"]).await;
    check(
        Filter::In("tags".into(), vec![json!("x"), json!(4), json!(true)]),
        &["0", "2"],
    )
    .await;
    check(one("a.b c", json!(1)), &["1"]).await;
    check(one("q\"uote", json!("z")), &["2"]).await;
    check(not(one("q\"uote", json!("z"))), &["0", "1", "3"]).await;
    check(Filter::Exists("tags".into()), &["0", "2"]).await;
    check(Filter::Exists("n".into()), &["0", "1", "2"]).await;
    check(Filter::Exists("nested".into()), &["3"]).await;
    check(not(Filter::Exists("draft".into())), &["2", "3"]).await;
    check(range("n", from(json!(1))), &["0", "1"]).await;
    check(range("n", after(json!(1))), &["1"]).await;
    check(range("n", to(json!(1))), &["0", "2"]).await;
    check(range("n", before(json!(-3))), &[]).await;
    check(range("n", before(json!("x"))), &[]).await;
    check(range("n", Bounds::default()), &["0", "1", "2"]).await;
    check(range("date", from(json!("2024-02-01"))), &["1", "2"]).await;
    check(range("date", after(json!("2024-02-01"))), &["2"]).await;
    check(range("date", to(json!("2024-02-01"))), &["0", "1"]).await;
    check(range("date", before(json!("2024-02"))), &["0"]).await;
    check(not(range("date", before(json!("2024-02")))), &["1", "2", "3"]).await;
    let narrow = Bounds {
        gt: Some(json!(1)),
        lte: Some(json!(2.5)),
        ..Bounds::default()
    };
    check(range("n", narrow), &["1"]).await;
    let mixed = Bounds {
        gt: Some(json!(1)),
        lte: Some(json!("z")),
        ..Bounds::default()
    };
    check(range("n", mixed), &[]).await;
    let crossed = Bounds {
        gt: Some(json!(3)),
        lt: Some(json!(1)),
        ..Bounds::default()
    };
    check(range("n", crossed), &[]).await;
    check(
        Filter::All(vec![one("kind", json!("guide")), one("n", json!(1))]),
        &["0"],
    )
    .await;
    check(
        Filter::Any(vec![one("kind", json!("note")), range("date", from(json!("2025")))]),
        &["1", "2"],
    )
    .await;
    check(Filter::Any(vec![]), &[]).await;
    check(not(anything()), &[]).await;
    check(not(Filter::Any(vec![])), &["0", "1", "2", "3"]).await;
}

#[tokio::test]
async fn a_loose_filter_looks_further_than_its_first_page() {
    further(None).await;
    further(Some(Double::up().store("docs"))).await;
    if let Some(store) = named("portolan-further") {
        further(Some(store)).await;
    }
}

async fn further(vectors: Option<Arc<dyn VectorStore>>) {
    let batch = (0..60).map(|number| {
        let date = if number == 59 { "2025" } else { "2024" };
        let metadata = Metadata::from([("date".to_owned(), json!(date))]);
        make(
            &number.to_string(),
            &["word"],
            usize::from(number == 59),
            (metadata, Vec::new()),
        )
    });
    let (_folder, collection) = filled_over(vectors, batch.collect()).await;
    let late = Bounds {
        gte: Some(json!("2025")),
        ..Bounds::default()
    };
    let filter = Filter::Range("date".into(), late);
    let hits = collection.vector(axis(0), &filter, &everyone(), 1).await.unwrap();
    assert_eq!(uris(&collection, &hits), ["59"]);
}
