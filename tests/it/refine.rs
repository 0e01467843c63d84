//! What a search does with its best candidates: surroundings, marks, recency, duplicates, variety, and why.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::library::{at, open, results, search, search_all, uris};

#[tokio::test]
async fn a_passage_comes_with_its_surroundings() {
    let app = open().await;
    let body = json!({ "query": "painted", "mode": "lexical", "neighbours": 1 });
    let found = search(&app, body).await;
    let passage = &results(&found)[0];
    let id = passage["document"].as_str().unwrap();
    let (_, source) = app.get(&format!("/v1/documents/{id}/source")).await;
    let before = &passage["before"];
    assert!(before["text"].as_str().unwrap().contains("every spring"), "{passage}");
    assert_eq!(at(&source["text"], &before["span"]), before["text"]);
    assert_eq!(before["span"][1], passage["span"][0]);
    assert!(passage["after"].is_null(), "{passage}");
    let found = search(&app, json!({ "query": "spring", "mode": "lexical", "neighbours": 1 })).await;
    let first = &results(&found)[0];
    assert!(first["before"].is_null(), "{first}");
    assert_eq!(at(&source["text"], &first["after"]["span"]), first["after"]["text"]);
}

#[tokio::test]
async fn titles_and_headings_are_marked_too() {
    let app = open().await;
    let found = search(&app, json!({ "query": "anchors painting", "mode": "lexical" })).await;
    let passage = results(&found)
        .iter()
        .find(|one| one["text"].as_str().unwrap().contains("red"))
        .unwrap();
    let marks = passage["title_highlights"].as_array().unwrap();
    assert_eq!(
        marks.iter().map(|mark| at(&passage["title"], mark)).collect::<Vec<_>>(),
        ["Anchor"]
    );
    let heading = &passage["heading_path"][0];
    let marks = passage["heading_highlights"][0].as_array().unwrap();
    assert_eq!(
        marks.iter().map(|mark| at(heading, mark)).collect::<Vec<_>>(),
        ["Painting", "anchor"]
    );
}

#[tokio::test]
async fn newer_documents_gain_from_a_given_day() {
    let app = open().await;
    let order = async |weight: f32, now: Value| {
        let recency = json!({ "field": "date", "half_life_days": 90, "weight": weight, "now": now });
        let body = json!({ "query": "anchor fees", "mode": "lexical", "recency": recency });
        search(&app, body).await
    };
    let plain = order(0.0, json!("2025-06-01")).await;
    assert_eq!(uris(&plain)[0], "office.md");
    let newest = order(1.0, json!("2025-06-01T00:00:00Z")).await;
    assert_eq!(uris(&newest)[..3], ["anchor.md", "anchor.md", "office.md"]);
    assert_eq!(results(&newest)[0]["scores"]["recency"], 1.0);
    // 2025-08-30, one half-life later, in seconds.
    let later = order(1.0, json!(1_756_512_000)).await;
    assert_eq!(results(&later)[0]["scores"]["recency"], 0.5);
    let stray = results(&later).iter().find(|one| one["uri"] == "stray.md").unwrap();
    assert_eq!(stray["scores"]["recency"], 0.0);
}

#[tokio::test]
async fn what_says_the_same_is_folded_or_falls_back() {
    let app = TestApp::start().await;
    let rule =
        "Every mooring line is inspected by the harbour master before the storm season begins and again after it";
    for (uri, text) in [
        ("one.md", format!("# One\n\n{rule}.")),
        ("two.md", format!("# Two\n\n{rule}.")),
        ("three.md", format!("# Three\n\n{rule} in 14 days.")),
        ("four.md", "# Four\n\nThe mooring fee is paid at the office.".to_owned()),
    ] {
        app.put(json!({ "uri": uri, "text": text, "metadata": { "valid_from": uri.len() } }))
            .await;
    }
    let ask = json!({ "query": "mooring line storm season", "mode": "lexical" });
    let with = |more: Value| {
        let mut body = ask.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        search(&app, body)
    };
    let plain = with(json!({})).await;
    assert_eq!(plain["total"], 4);
    assert_eq!(uris(&plain)[3], "four.md");
    let folded = with(json!({ "fold_duplicates": true })).await;
    assert_eq!(folded["total"], 3);
    let kept = results(&folded)
        .iter()
        .find(|one| !one["duplicates"].is_null())
        .unwrap();
    let twin = results(&plain)
        .iter()
        .find(|one| one["id"] == kept["duplicates"][0]["id"])
        .unwrap();
    for key in ["collection", "document", "uri", "title", "version", "metadata"] {
        assert_eq!(
            kept["duplicates"][0][key], twin[key],
            "each version keeps its dates: {kept}"
        );
    }
    let mut pair = [kept["uri"].as_str().unwrap(), twin["uri"].as_str().unwrap()];
    pair.sort_unstable();
    assert_eq!(pair, ["one.md", "two.md"], "a text with another number is no duplicate");
    let diverse = with(json!({ "diversity": 0.6 })).await;
    assert_eq!(uris(&diverse)[1], "four.md", "{diverse}");
    assert_eq!(diverse["total"], 4);
}

#[tokio::test]
async fn every_step_is_explained_and_every_loss() {
    let app = open().await;
    let recency = json!({ "field": "date", "half_life_days": 90, "now": "2025-06-01" });
    let body = json!({
        "query": "anchor", "explain": true, "limit": 3, "filter": { "department": { "exists": true } },
        "recency": recency, "group_by": "document", "group_size": 1, "fold_duplicates": true,
    });
    let found = search(&app, body).await;
    let names: Vec<&str> = found["trace"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    for name in [
        "lexical",
        "vector",
        "fuse",
        "recency",
        "duplicates",
        "matches",
        "passages",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let first = &results(&found)[0];
    let steps = first["explain"].as_array().unwrap();
    let step = |name: &str| {
        steps
            .iter()
            .find(|one| one["step"] == name)
            .unwrap_or_else(|| panic!("{name} in {steps:?}"))
    };
    assert_eq!(step("lexical")["score"], first["scores"]["lexical"]);
    assert_eq!(step("fuse")["score"], first["scores"]["fused"]);
    assert_eq!(step("group")["rank"], 1);
    let dropped = found["trace"]["dropped"].as_array().unwrap();
    let why = |name: &str| dropped.iter().filter(|one| one["step"] == name).count();
    assert_eq!((why("filter"), why("group")), (1, 1), "{dropped:?}");
    // The secret document is no candidate, so that its loss is not told either.
    let secret = search_all(&app, &json!({ "query": "gold governor", "mode": "lexical" })).await;
    let id = results(&secret)[0]["id"].as_str().unwrap();
    assert!(!found.to_string().contains(id), "{found}");
    let plain = search(&app, json!({ "query": "anchor" })).await;
    assert!(
        plain["trace"].is_null() && results(&plain)[0]["explain"].is_null(),
        "{plain}"
    );
}
