//! What an attacker, or a disk, does to a service: it refuses or fails with a reason, and goes on.

use std::sync::Arc;

use serde_json::json;

use crate::app::{TestApp, WordHash, eventually, folder, settings};

#[tokio::test]
async fn a_job_whose_end_cannot_be_written_down_fails_with_its_reason() {
    let app = TestApp::start().await;
    // What a full disk does, from another connection.
    let url = format!("sqlite://{}", app.data.join("portolan.sqlite").display());
    let database = sqlx::SqlitePool::connect(&url).await.unwrap();
    let full = "create trigger full before update on jobs begin select raise(abort, 'disk is full'); end";
    sqlx::query(full).execute(&database).await.unwrap();
    let (status, answer) = app
        .post("/v1/documents", &json!({ "uri": "a.md", "text": "one" }))
        .await;
    assert_eq!(status, 202, "{answer}");
    let path = format!("/v1/jobs/{}", answer["job"].as_str().unwrap());
    let job = eventually(async || Some(app.get(&path).await.1).filter(|job| job["state"] != "running")).await;
    assert_eq!(job["state"], "failed", "{job}");
    assert!(
        job["errors"][0]["detail"].as_str().unwrap().contains("disk is full"),
        "{job}"
    );
    sqlx::query("drop trigger full").execute(&database).await.unwrap();
    app.put(json!({ "uri": "a.md", "text": "one" })).await;
}

#[tokio::test]
async fn a_stray_file_among_the_collections_stops_nothing() {
    let data = folder();
    std::fs::create_dir(data.join("collections")).unwrap();
    std::fs::write(data.join("collections/notes"), "stray").unwrap();
    let app = TestApp::at(data, settings(), Arc::new(WordHash)).await;
    app.index().await;
    let (_, collections) = app.get("/v1/collections").await;
    assert_eq!(collections["collections"].as_array().unwrap().len(), 1, "{collections}");
    assert_eq!(collections["collections"][0]["name"], "default", "{collections}");
}
