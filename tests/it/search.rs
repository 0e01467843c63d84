//! What a search can be asked for beside its words: filters, facets, order, pages, groups.

use serde_json::{Value, json};

use crate::app::{TestApp, settings};
use crate::library::{open, results, search, search_all, uris};

#[tokio::test]
async fn filters_join_conditions_and_name_what_is_allowed() {
    let app = open().await;
    let check = async |filter: Value, expected: &[&str]| {
        let found = search(&app, json!({ "query": "anchor", "mode": "lexical", "filter": filter })).await;
        let mut found = uris(&found);
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, expected, "{filter}");
    };
    check(json!({ "department": "Deck" }), &["anchor.md", "buoy.md"]).await;
    check(json!({ "department": { "ne": "Deck" } }), &["office.md", "stray.md"]).await;
    check(json!({ "department": { "nin": ["Deck", "Office"] } }), &["stray.md"]).await;
    check(json!({ "department": { "prefix": "Off" } }), &["office.md"]).await;
    check(json!({ "tags": { "in": ["paint", "gold"] } }), &["anchor.md"]).await;
    check(json!({ "size": { "gt": 3, "ne": 4 } }), &["buoy.md"]).await;
    check(
        json!({ "date": { "gte": "2024", "lt": "2026" } }),
        &["anchor.md", "office.md"],
    )
    .await;
    check(json!({ "department": { "exists": false } }), &["stray.md"]).await;
    let either = json!({ "or": [{ "size": "large" }, { "not": { "department": { "exists": true } } }] });
    check(either, &["office.md", "stray.md"]).await;
    let wrong = json!({ "query": "anchor", "filter": { "or": [{ "size": { "above": 3 } }] } });
    let (status, problem) = app.post("/v1/search", &wrong).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/filter/or/0/size/above"))
    );
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("`gte`") && detail.contains("`exists`"), "{detail}");
}

#[tokio::test]
async fn facets_count_the_documents_that_match_and_may_be_read() {
    let app = open().await;
    let body = json!({ "query": "anchor", "mode": "lexical", "limit": 1, "facets": ["department", "tags", "size", "nothing"] });
    let found = search(&app, body.clone()).await;
    let expected = json!({
        "department": [{ "value": "Deck", "count": 2 }, { "value": "Office", "count": 1 }],
        "tags": [{ "value": "iron", "count": 2 }, { "value": "paint", "count": 1 }],
        "size": [{ "value": 3, "count": 1 }, { "value": 12, "count": 1 }, { "value": "large", "count": 1 }],
        "nothing": [],
    });
    assert_eq!(found["facets"], expected);
    assert_eq!(found["facets_truncated"], json!([]));
    let all = search_all(&app, &body).await;
    let governor = json!({ "value": "Governor", "count": 1 });
    assert!(
        all["facets"]["department"].as_array().unwrap().contains(&governor),
        "{all}"
    );
    let every = search(
        &app,
        json!({ "query": "anchor", "filter": { "department": "Deck" }, "facets": ["*"] }),
    )
    .await;
    let mut fields: Vec<&String> = every["facets"].as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["date", "department", "size", "tags"]);
    let filtered = json!({ "query": "anchor", "filter": { "tags": "paint" }, "facets": ["department"] });
    let found = search(&app, filtered).await;
    assert_eq!(found["facets"]["department"], json!([{ "value": "Deck", "count": 1 }]));
    // By meaning alone everything that the filter admits is a match.
    let found = search(
        &app,
        json!({ "query": "anchor", "mode": "vector", "facets": ["department"] }),
    )
    .await;
    assert_eq!(found["facets"]["department"][0], json!({ "value": "Deck", "count": 3 }));
}

#[tokio::test]
async fn a_facet_of_many_values_is_cut_and_says_so() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    for at in 0..130 {
        // Four of a kind score the same.
        let text = format!(
            "---\nnumber: {at}\nparity: {}\n---\n# Note\n\nTide note. {}",
            at % 2,
            "Tide. ".repeat(at / 4)
        );
        std::fs::write(folder.path().join(format!("{at}.md")), text).unwrap();
    }
    index(&app, folder.path()).await;
    let found = search(
        &app,
        json!({ "query": "tide", "mode": "lexical", "facets": ["number", "parity"] }),
    )
    .await;
    assert_eq!(found["facets"]["number"].as_array().unwrap().len(), 100);
    assert_eq!(found["facets_truncated"], json!(["number"]));
    let sums = found["facets"]["parity"].as_array().unwrap();
    assert!(sums.iter().all(|one| one["count"] == 65), "{sums:?}");
    pages_neither_repeat_nor_miss(&app).await;
}

async fn index(app: &TestApp, folder: &std::path::Path) {
    let body = json!({ "path": folder, "collection": "default" });
    app.indexing(app.request("POST", "/v1/index").bearer_auth("operator").json(&body))
        .await;
}

/// Also beyond the candidates of the legs.
async fn pages_neither_repeat_nor_miss(app: &TestApp) {
    for (mode, more) in [
        ("lexical", json!({})),
        ("hybrid", json!({})),
        ("vector", json!({})),
        ("hybrid", json!({ "sort": [{ "field": "parity" }] })),
        ("hybrid", json!({ "group_by": "document" })),
    ] {
        let mut seen = Vec::new();
        let mut total = 0;
        for offset in (0..=140).step_by(20) {
            let mut body = json!({ "query": "tide note", "mode": mode, "limit": 20, "offset": offset });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let page = search(app, body).await;
            seen.extend(uris(&page).into_iter().map(ToOwned::to_owned));
            total = page["total"].as_u64().unwrap() as usize;
            assert_eq!(page["total_relation"], "exact", "{mode} {more}");
        }
        assert_eq!((seen.len(), total), (130, 130), "{mode} {more}");
        let whole = seen.clone();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 130, "{mode} {more}: a page repeats another");
        let first = search(app, json!({ "query": "tide note", "mode": mode, "limit": 100 })).await;
        if more == json!({}) {
            assert_eq!(uris(&first), whole[..100], "{mode}");
        }
    }
}

#[tokio::test]
async fn the_total_counts_what_matches_and_not_the_page() {
    let app = open().await;
    let found = search(&app, json!({ "query": "anchor", "mode": "lexical", "limit": 2 })).await;
    assert_eq!((results(&found).len(), &found["total"]), (2, &json!(5)));
    assert_eq!(
        search_all(&app, &json!({ "query": "anchor", "mode": "lexical", "limit": 2 })).await["total"],
        6
    );
    let beyond = search(&app, json!({ "query": "anchor", "mode": "lexical", "offset": 900 })).await;
    assert_eq!((results(&beyond).len(), &beyond["total"]), (0, &json!(5)));
    let grouped = search(
        &app,
        json!({ "query": "anchor", "mode": "lexical", "group_by": "document" }),
    )
    .await;
    assert_eq!(grouped["total"], 4);
}

#[tokio::test]
async fn in_the_order_of_a_field_only_what_has_the_words_counts() {
    let app = open().await;
    // Every document is among the 100 nearest.
    let nearest = json!({ "query": "painted", "facets": ["department"], "group_by": "document" });
    let sorted =
        json!({ "query": "painted", "facets": ["department"], "group_by": "document", "sort": [{ "field": "date" }] });
    let words = json!({ "query": "painted", "mode": "lexical", "facets": ["department"], "group_by": "document" });
    let [nearest, sorted, words] = [
        search(&app, nearest).await,
        search(&app, sorted).await,
        search(&app, words).await,
    ];
    assert!(nearest["total"].as_u64() > words["total"].as_u64(), "{nearest}");
    assert_eq!(
        (&sorted["total"], &sorted["facets"]),
        (&words["total"], &words["facets"])
    );
    assert_eq!(results(&sorted).len(), results(&words).len());
}

#[tokio::test]
async fn a_field_decides_the_order_and_what_lacks_it_comes_last() {
    let app = open().await;
    let check = async |sort: Value, expected: &[&str]| {
        let body = json!({ "query": "anchor", "mode": "lexical", "sort": sort, "group_by": "document" });
        assert_eq!(uris(&search(&app, body).await), expected, "{sort}");
    };
    let (newest, oldest) = (
        json!([{ "field": "date", "order": "desc" }]),
        json!([{ "field": "date" }]),
    );
    check(newest, &["anchor.md", "office.md", "buoy.md", "stray.md"]).await;
    check(oldest, &["buoy.md", "office.md", "anchor.md", "stray.md"]).await;
    // Numbers come before strings.
    check(
        json!([{ "field": "size" }]),
        &["anchor.md", "buoy.md", "office.md", "stray.md"],
    )
    .await;
    let two = json!([{ "field": "department", "order": "desc" }, { "field": "size", "order": "desc" }]);
    check(two, &["office.md", "buoy.md", "anchor.md", "stray.md"]).await;
    let passages = search(
        &app,
        json!({ "query": "anchor", "mode": "lexical", "sort": [{ "field": "date" }] }),
    )
    .await;
    assert_eq!(
        uris(&passages),
        ["buoy.md", "office.md", "anchor.md", "anchor.md", "stray.md"]
    );
}

#[tokio::test]
async fn a_document_gives_one_result_with_its_best_passages() {
    let app = open().await;
    let body = json!({ "query": "anchor painted red", "mode": "lexical", "group_by": "document", "group_size": 2 });
    let found = search(&app, body).await;
    let first = &results(&found)[0];
    assert_eq!(
        (&first["uri"], &first["group"]["total"]),
        (&json!("anchor.md"), &json!(2))
    );
    assert!(first["text"].as_str().unwrap().contains("painted red"), "{first}");
    let more = first["group"]["more"].as_array().unwrap();
    assert_eq!(more.len(), 1, "{first}");
    assert!(more[0]["text"].as_str().unwrap().contains("every spring"), "{first}");
    let found = search(
        &app,
        json!({ "query": "anchor", "group_by": "document", "group_size": 1 }),
    )
    .await;
    let mut names = uris(&found);
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
    assert!(
        results(&found).iter().all(|one| one["group"]["more"] == json!([])),
        "{found}"
    );
}

#[tokio::test]
async fn several_collections_are_one_list() {
    let app = open().await;
    let other = json!({ "uri": "anchor.md", "text": "# Anchor chains\n\nThe anchor chain is checked every spring.", "metadata": { "department": "Deck", "date": "2025-01-01" } });
    app.indexing(app.request("POST", "/v1/documents?collection=other").json(&other))
        .await;
    let both = json!(["default", "other"]);
    let body = json!({ "query": "anchor", "mode": "lexical", "collection": both, "facets": ["department"], "sort": [{ "field": "date", "order": "desc" }], "group_by": "document" });
    let found = search(&app, body).await;
    assert_eq!(
        uris(&found),
        ["anchor.md", "anchor.md", "office.md", "buoy.md", "stray.md"]
    );
    assert_eq!(
        (&results(&found)[0]["collection"], &results(&found)[1]["collection"]),
        (&json!("default"), &json!("other"))
    );
    assert_eq!(found["facets"]["department"][0], json!({ "value": "Deck", "count": 3 }));
    assert_eq!(found["total"], 5);
}

#[tokio::test]
async fn what_has_no_meaning_is_refused_at_its_place() {
    let mut narrow = settings();
    narrow.body_bytes = 64 * 1024;
    let app = TestApp::with(narrow).await;
    app.index().await;
    let recency = |half_life: Value| json!({ "recency": { "field": "date", "half_life_days": half_life } });
    for (more, pointer, words) in [
        (json!({ "limit": 0 }), "/limit", "1 to 100"),
        (json!({ "offset": 1_001 }), "/offset", "it goes to 1000"),
        (
            json!({ "group_by": "document", "group_size": 0 }),
            "/group_size",
            "from 1 to 10",
        ),
        (json!({ "group_by": "kind" }), "/group_by", "use `document`"),
        (json!({ "group_size": 3 }), "/group_size", "group_by"),
        (json!({ "neighbours": 6 }), "/neighbours", "from 0 to 5"),
        (json!({ "neighbours": -1 }), "/neighbours", "whole number"),
        (json!({ "diversity": 2 }), "/diversity", "from 0 to 1"),
        (
            json!({ "diversity": 0.5, "sort": [{ "field": "date" }] }),
            "/diversity",
            "one of the two",
        ),
        (recency(json!(0)), "/recency/half_life_days", "more than 0"),
        (recency(json!(-3)), "/recency/half_life_days", "more than 0"),
        (recency(json!("NaN")), "/recency/half_life_days", "expected a number"),
        (
            json!({ "recency": { "field": "date" } }),
            "/recency/half_life_days",
            "missing field",
        ),
        (
            json!({ "sort": [{ "field": "date", "order": "down" }] }),
            "/sort/0/order",
            "`asc` or `desc`",
        ),
        (json!({ "sort": [{ "field": "" }] }), "/sort/0/field", "name"),
        (json!({ "facets": [""] }), "/facets/0", "name"),
        (json!({ "facets": vec!["a"; 21] }), "/facets", "at most 20"),
        (json!({ "facets": "department" }), "/facets", "a list"),
        (
            json!({ "filter": { "a": { "gt": [1] } } }),
            "/filter/a/gt",
            "not a list",
        ),
        (
            json!({ "filter": { "a": vec![1; 1_001] } }),
            "/filter/a/999",
            "send fewer",
        ),
        (json!({ "group": "document" }), "/group", "unknown field"),
    ] {
        let mut body = json!({ "query": "backup" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, problem) = app.post("/v1/search", &body).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!(pointer)),
            "{more} {problem}"
        );
        let detail = problem["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{more}: {detail}");
    }
}
