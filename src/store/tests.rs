//! The store as its callers see it, on files of its own.

mod kept;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::types::{Citation, DocumentId, Message, Outcome, Role, Usage};

async fn open() -> (TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("deep/portolan.db"))
        .await
        .expect("a database");
    (folder, store)
}

fn citation(uri: &str, number: usize, text: &str, words: &str) -> Citation {
    let start = text.find(words).expect("the words are in the text");
    Citation {
        number,
        answer_range: start..start + words.len(),
        document: DocumentId::of(uri),
        version: "v1".into(),
        source_range: 10..10 + words.len(),
        quote: words.into(),
        checked: true,
    }
}

fn answer(id: &str, text: &str, citations: Vec<Citation>) -> AnswerRecord {
    let passage = |citation: &Citation| json!({"number": citation.number, "document": citation.document, "collection": "default", "text": "t"});
    AnswerRecord {
        id: id.into(),
        question: None,
        run: "run".into(),
        route: "extractive".into(),
        text: text.into(),
        complete: true,
        outcome: Some(Outcome::Partial),
        sources: citations.iter().map(passage).collect(),
        citations,
        usage: Some(Usage {
            tokens_in: 5,
            cost_usd: Some("0.01".into()),
            ..Usage::default()
        }),
        sentences: serde_json::Value::Array(Vec::new()),
        problem: None,
    }
}

fn answered(question: String, id: &str, text: &str, citations: Vec<Citation>) -> AnswerRecord {
    let question = Some(question);
    AnswerRecord {
        question,
        ..answer(id, text, citations)
    }
}

fn message(role: Role, text: &str) -> Message {
    Message {
        role,
        text: text.into(),
    }
}

fn begun(collection: &str) -> JobRecord {
    JobRecord {
        collection: collection.into(),
        source: Some("/srv/docs".into()),
        ..JobRecord::default()
    }
}

async fn begin(store: &Store, title: &str, owner: &str) -> String {
    let id = new_id();
    store.begin_conversation(&id, title, owner).await.expect("new");
    id
}

#[tokio::test]
async fn a_conversation_comes_back_as_it_was_kept() {
    let (_folder, store) = open().await;
    let id = begin(&store, "Leave", "anna").await;
    let question = store.add_question(&id, "How long?").await.expect("question");
    let text = "Fünf Tage [1].";
    let kept = answered(question, "a1", text, vec![citation("a.md", 1, text, "Fünf Tage")]);
    store.add_answer(&id, &kept).await.expect("answer");

    let (head, messages) = store.messages(&id, "anna").await.expect("messages");
    assert_eq!((head.id.as_str(), head.title.as_str()), (id.as_str(), "Leave"));
    assert_eq!(messages.len(), 2);
    assert_eq!(
        (messages[0].role.as_str(), messages[0].text.as_str()),
        ("user", "How long?")
    );
    let answer = &messages[1];
    assert_eq!((answer.id.as_str(), answer.role.as_str()), ("a1", "assistant"));
    assert_eq!((answer.text.as_str(), answer.state.as_str()), (text, "complete"));
    assert_eq!(answer.outcome, Some(Outcome::Partial));
    assert_eq!(answer.usage, kept.usage);
    assert_eq!(answer.sources, kept.sources);
    let cited = &answer.citations[0];
    assert_eq!(cited.answer_range, kept.citations[0].answer_range);
    assert_eq!(cited.source_range, Some(kept.citations[0].source_range.clone()));
    assert_eq!(cited.quote.as_deref(), Some("Fünf Tage"));
    assert_eq!((cited.checked, cited.removed), (true, false));
}

#[tokio::test]
async fn times_are_rfc_3339() {
    let (_folder, store) = open().await;
    let id = begin(&store, "t", "anna").await;
    sqlx::query("update conversations set created_at = 1709210096007, updated_at = 951782400000")
        .execute(&store.pool)
        .await
        .expect("fixed times");
    let listed = store.conversations("anna", 10).await.expect("list");
    assert_eq!(listed[0].id, id);
    assert_eq!(listed[0].created_at, "2024-02-29T12:34:56.007Z");
    assert_eq!(listed[0].updated_at, "2000-02-29T00:00:00.000Z");
}

#[tokio::test]
async fn another_owner_sees_and_removes_nothing() {
    let (_folder, store) = open().await;
    let id = begin(&store, "Leave", "anna").await;
    store.add_question(&id, "How long?").await.expect("question");
    let refused = store.check_conversation(&id, "berta").await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    assert!(matches!(store.messages(&id, "berta").await, Err(Error::NotFound(_))));
    assert!(store.conversations("berta", 10).await.expect("list").is_empty());
    assert!(
        !store
            .remove_conversation(&id, ["berta", "bruno"])
            .await
            .expect("no error")
    );

    store.check_conversation(&id, "anna").await.expect("hers");
    assert!(
        store
            .remove_conversation(&id, ["berta", "anna"])
            .await
            .expect("no error")
    );
    assert!(matches!(store.messages(&id, "anna").await, Err(Error::NotFound(_))));
    assert!(matches!(store.add_question(&id, "?").await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn turns_are_the_last_complete_ones_oldest_first() {
    let (_folder, store) = open().await;
    let id = begin(&store, "t", "anna").await;
    for (n, complete) in [(1, true), (2, true), (3, false), (4, true)] {
        let question = store.add_question(&id, &format!("q{n}")).await.expect("question");
        let mut record = answered(question, &format!("a{n}"), &format!("a{n}"), Vec::new());
        record.complete = complete;
        store.add_answer(&id, &record).await.expect("answer");
    }
    store.add_question(&id, "q5").await.expect("question");
    let turns = store.turns(&id, 2).await.expect("turns");
    let expected = [
        message(Role::User, "q2"),
        message(Role::Assistant, "a2"),
        message(Role::User, "q4"),
        message(Role::Assistant, "a4"),
    ];
    assert_eq!(turns, expected);
}

#[tokio::test]
async fn answers_stay_with_their_questions_however_they_overtake() {
    let (_folder, store) = open().await;
    let id = begin(&store, "t", "anna").await;
    let first = store.add_question(&id, "q1").await.expect("question");
    let second = store.add_question(&id, "q2").await.expect("question");
    for (question, words) in [(second, "a2"), (first, "a1")] {
        let record = answered(question, words, words, Vec::new());
        store.add_answer(&id, &record).await.expect("answer");
    }
    let expected = ["q1", "a1", "q2", "a2"];
    let turns = store.turns(&id, 9).await.expect("turns");
    assert_eq!(
        turns.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>(),
        expected
    );
    let (_, messages) = store.messages(&id, "anna").await.expect("messages");
    assert_eq!(
        messages.iter().map(|one| one.text.as_str()).collect::<Vec<_>>(),
        expected
    );
}

#[tokio::test]
async fn an_erased_document_leaves_no_words_and_moves_no_other_range() {
    let (folder, store) = open().await;
    let id = begin(&store, "t", "anna").await;
    let text = "Größe vier ☃ [1]. Geheimnis hier [2]. Ärger ab neun [1].";
    let citations = vec![
        citation("a.md", 1, text, "Größe vier ☃"),
        citation("b.md", 2, text, "Geheimnis hier"),
        citation("a.md", 1, text, "Ärger ab neun"),
    ];
    store
        .add_answer(&id, &answer("a1", text, citations))
        .await
        .expect("answer");
    let erased = DocumentId::of("b.md");
    assert_eq!(store.erase_document("default", erased).await.expect("erased"), 1);
    assert_eq!(
        store.erase_document("default", erased).await.expect("erased"),
        0,
        "nothing is left to erase"
    );

    let (_, messages) = store.messages(&id, "anna").await.expect("messages");
    let answer = &messages[0];
    assert_eq!(answer.text, "Größe vier ☃ [1]. [removed] [2]. Ärger ab neun [1].");
    let covered: Vec<&str> = answer
        .citations
        .iter()
        .map(|cited| &answer.text[cited.answer_range.clone()])
        .collect();
    assert_eq!(covered, ["Größe vier ☃", "[removed]", "Ärger ab neun"]);
    let removed = &answer.citations[1];
    assert!(removed.removed && removed.quote.is_none() && removed.source_range.is_none());
    assert!(!answer.citations[0].removed && answer.citations[0].quote.is_some());
    let sources = answer.sources.as_array().expect("a list");
    assert_eq!(sources.len(), 2);
    assert!(sources.iter().all(|passage| passage["document"] != json!(erased)));

    store.close().await;
    for entry in std::fs::read_dir(folder.path().join("deep")).expect("the folder") {
        let bytes = std::fs::read(entry.expect("a file").path()).expect("its bytes");
        assert!(
            !bytes.windows(9).any(|window| window == b"Geheimnis"),
            "the words are still on disk"
        );
    }
}

#[tokio::test]
async fn a_job_comes_back_and_one_of_a_dead_process_has_failed() {
    let (folder, store) = open().await;
    let running = store.start_job("index", &begun("docs")).await.expect("job");
    let ended = store.start_job("index", &begun("docs")).await.expect("job");
    let mut record = JobRecord {
        id: ended.clone(),
        collection: "docs".into(),
        state: JobState::Done,
        documents: 3,
        chunks: 9,
        skipped: [("docx".to_owned(), 2)].into(),
        ..JobRecord::default()
    };
    for n in 0..150 {
        record.add_error(ErrorKind::Unparsable, format!("{n}.md"), "bad");
    }
    store.update_job(&ended, &record).await.expect("update");
    assert!(store.update_job("none", &record).await.is_err());
    assert_eq!(store.job("none").await.expect("no error"), None);
    let before = store.job(&running).await.expect("no error").expect("a job");
    assert_eq!((before.state, before.error_count), (JobState::Running, 0));
    assert_eq!(
        before.source.as_deref(),
        Some("/srv/docs"),
        "it is told before its turn"
    );
    store.close().await;

    let store = Store::open(&folder.path().join("deep/portolan.db"))
        .await
        .expect("again");
    assert_eq!(store.job(&ended).await.expect("no error"), Some(record.clone()));
    assert_eq!((record.errors.len(), record.error_count), (MAX_JOB_ERRORS, 150));
    let after = store.job(&running).await.expect("no error").expect("a job");
    assert_eq!(after.state, JobState::Failed);
    assert_eq!(after.errors[0].detail, "the process ended");
}

#[tokio::test]
async fn a_newer_database_is_refused_with_the_mend() {
    let (folder, store) = open().await;
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (999, 'later', 1, x'00', 1)",
    )
    .execute(&store.pool)
    .await
    .expect("a later schema");
    store.close().await;
    let refused = Store::open(&folder.path().join("deep/portolan.db")).await;
    let Err(Error::Conflict(detail)) = refused else {
        unreachable!("a newer database was opened: {refused:?}");
    };
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap();
    let words = format!("has schema 999, this portolan knows schema {known}; start the newer portolan");
    assert!(detail.contains(&words), "{detail}");
}

#[tokio::test]
async fn a_second_owner_of_the_data_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portolan.sqlite");
    let first = Store::open(&file).await.unwrap();
    let job = first.start_job("index", &begun("default")).await.unwrap();
    let refused = Store::open(&file).await;
    let Err(Error::Conflict(words)) = refused else {
        panic!("two processes own the data")
    };
    assert!(words.contains("--data"), "{words}");
    let state = first.job(&job).await.unwrap().unwrap().state;
    assert_eq!(
        state,
        JobState::Running,
        "the second one must not touch the first one's jobs"
    );
    drop(first);
    Store::open(&file).await.unwrap();
}

#[tokio::test]
async fn a_new_data_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().expect("folder");
    let folder = home.path().join("data");
    let _store = Store::open(&folder.join("portolan.sqlite")).await.expect("store");
    let mode = std::fs::metadata(folder).expect("made").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_broken_database_is_told_with_its_mend() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("portolan.sqlite");
    std::fs::write(&file, "no database ".repeat(1_000)).expect("written");
    let message = Store::open(&file).await.expect_err("it is broken").to_string();
    assert!(
        message.contains("portolan.sqlite") && message.contains("; put it back"),
        "{message}"
    );
}

#[tokio::test]
async fn sentences_of_no_document_go_from_the_disk_too() {
    let (folder, store) = open().await;
    let asked = |words: &str| vec![("key".to_owned(), Some(words.to_owned())), ("other".to_owned(), None)];
    let (kept, stray) = (DocumentId::of("kept.md"), DocumentId::of("stray.md"));
    let both = [(kept, asked("A sentence.")), (stray, asked("On the quarterly zephyr."))];
    store.replace_sentences("default", &both).await.expect("kept");
    let without = store.without_sentences("default").await.expect("read");
    assert_eq!(without, [(kept.to_string(), 1), (stray.to_string(), 1)].into());
    store
        .retain_sentences("default", |document| document == kept)
        .await
        .expect("forgotten");
    assert_eq!(store.sentences("default", kept).await.expect("read").len(), 2);
    assert!(store.sentences("default", stray).await.expect("read").is_empty());
    store.tidy_sentences().await.expect("tidied");
    let files = std::fs::read_dir(folder.path().join("deep")).expect("a folder");
    for file in files {
        let bytes = std::fs::read(file.expect("a file").path()).expect("its bytes");
        assert!(!String::from_utf8_lossy(&bytes).contains("zephyr"));
    }
}
