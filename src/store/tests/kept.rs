//! What is kept no longer, or in fewer words.

use super::*;

#[tokio::test]
async fn old_traces_go_and_of_no_days_all_do() {
    let (_folder, store) = open().await;
    let conversation = begin(&store, "t", "anna").await;
    for (run, kept_at) in [("old", 0), ("new", now()), ("ahead", i64::MAX)] {
        let trace = TraceRecord {
            run: run.into(),
            conversation: conversation.clone(),
            message: run.into(),
            record: json!({}),
            passages: vec![json!({ "collection": "default", "document": run, "text": "words" })],
        };
        store.keep_trace(&trace, u32::MAX).await.expect("kept");
        sqlx::query("update traces set kept_at = ? where run = ?")
            .bind(kept_at)
            .bind(run)
            .execute(&store.pool)
            .await
            .expect("another time");
    }
    let left = async || -> Vec<String> {
        let runs = sqlx::query_scalar("select run from trace_passages order by run");
        runs.fetch_all(&store.pool).await.expect("runs")
    };
    store.purge_traces(30).await.expect("purged");
    assert_eq!(left().await, ["ahead", "new"]);
    store.purge_traces(0).await.expect("purged");
    assert_eq!(left().await, [""; 0]);
}

#[tokio::test]
async fn words_of_providers_that_were_stored_before_go() {
    let (folder, store) = open().await;
    let id = begin(&store, "t", "anna").await;
    let problems = [
        (
            "the model's provider rejected the request (status 400): you: said",
            "the model's provider rejected the request (status 400)",
        ),
        (
            "the answer was cut off before its end: no end",
            "the answer was cut off before its end",
        ),
        (
            "the model stopped at its limit of tokens; the answer has no end",
            "the model stopped at its limit of tokens; the answer has no end",
        ),
        (
            "cannot keep the answer: the disk is full",
            "cannot keep the answer: the disk is full",
        ),
    ];
    for (at, (problem, _)) in problems.iter().enumerate() {
        let problem = Some((*problem).to_owned());
        let record = AnswerRecord {
            problem,
            ..answer(&format!("a{at}"), "t", Vec::new())
        };
        store.add_answer(&id, &record).await.expect("answer");
    }
    sqlx::query("delete from _sqlx_migrations where version = 11")
        .execute(&store.pool)
        .await
        .expect("an older schema");
    store.close().await;
    let store = Store::open(&folder.path().join("deep/portolan.db"))
        .await
        .expect("again");
    let (_, messages) = store.messages(&id, "anna").await.expect("messages");
    let kept: Vec<&str> = messages.iter().filter_map(|one| one.problem.as_deref()).collect();
    assert_eq!(kept, problems.map(|(_, expected)| expected));
}
