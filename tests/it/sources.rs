//! Rows, standard input, repositories, buckets and watched folders as sources.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use crate::app::TestApp;
use crate::cli::{portolan, run};
use crate::indexing::{uris, write};
use crate::sites::index;
use crate::website::Website;

/// The longest wait for something that is bound to come.
const PATIENCE: Duration = Duration::from_mins(2);

fn counts(value: &Value) -> [u64; 4] {
    ["added", "changed", "deleted", "unchanged"].map(|key| value[key].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_is_a_document_and_a_bad_one_is_named_by_its_line() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    app.leave_address();
    let rows = "{\"sku\":\"o-1\",\"name\":\"Oar\",\"description\":\"An oar of ash.\",\"price\":12}\n\
                {\"sku\":\"a-2\",\"name\":\"Anchor\",\n\
                {\"sku\":\"b-3\",\"name\":\"Buoy\",\"description\":\"A red buoy.\",\"price\":30}\n";
    write(place.path(), "rows.jsonl", rows);
    let file = place.path().join("rows.jsonl").to_str().unwrap().to_owned();
    let fields = "id=sku,title=name,text=description,metadata.price=price";
    let (code, text, _) = run(&app.data, &["index", &file, "--fields", fields]).await;
    assert!(
        code == Some(1) && text.contains("2 added") && text.contains("rows.jsonl:2: it is no JSON"),
        "{text}"
    );
    assert_eq!(uris(&app).await, ["rows.jsonl#b-3", "rows.jsonl#o-1"]);
    let body = json!({ "query": "oar", "filter": { "price": { "lt": 20 } } });
    let (_, found) = app.post("/v1/search", &body).await;
    assert_eq!(found["results"][0]["title"], "Oar", "{found}");
    assert_eq!(found["results"].as_array().unwrap().len(), 1, "{found}");

    // While a line cannot be read, nothing is gone; then a document that is not in the file any more is.
    write(
        place.path(),
        "rows.jsonl",
        "{\"sku\":\"o-1\",\"name\":\"Oar\",\"description\":\"An oar of oak.\",\"price\":12}\nx",
    );
    let (_, text, _) = run(&app.data, &["index", &file, "--fields", fields]).await;
    assert!(text.contains("1 changed") && text.contains("0 deleted"), "{text}");
    write(
        place.path(),
        "rows.jsonl",
        "{\"sku\":\"o-1\",\"name\":\"Oar\",\"description\":\"An oar of oak.\",\"price\":12}",
    );
    let (code, text, _) = run(&app.data, &["index", &file, "--fields", fields, "--json"]).await;
    assert_eq!(
        (code, counts(&serde_json::from_str(&text).unwrap())),
        (Some(0), [0, 0, 1, 1]),
        "{text}"
    );

    let (code, _, problem) = run(&app.data, &["index", &file, "--fields", "sku=id"]).await;
    assert!(code == Some(2) && problem.contains("no part `sku`"), "{problem}");
    let source = json!({ "kind": "rows", "path": place.path().join("a.csv") });
    write(place.path(), "a.csv", "id,text,lit\n1,A lamp,true\n2,A bell,false\n");
    assert_eq!(counts(&index(&app, source).await), [2, 0, 0, 0]);
    let (_, found) = app
        .post("/v1/search", &json!({ "query": "a", "filter": { "lit": false } }))
        .await;
    assert_eq!(found["results"][0]["uri"], "a.csv#2", "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_is_a_document_under_the_name_that_it_is_given() {
    let app = TestApp::start().await;
    app.leave_address();
    let mut command = portolan(&app.data, &["index", "-", "--uri", "notes/a \"b\".md"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"# Tides\n\nThe tide turns.")
        .await
        .unwrap();
    let output = child.wait_with_output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("1 added"), "{text}");
    assert_eq!(uris(&app).await, ["notes/a \"b\".md"]);
    let (_, list) = app.get("/v1/documents").await;
    assert_eq!(list["documents"][0]["title"], "Tides", "{list}");
    let (code, _, problem) = run(&app.data, &["index", "-"]).await;
    assert!(code == Some(2) && problem.contains("--uri page.md"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_narrowed_by_patterns() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    app.leave_address();
    write(place.path(), "a.md", "alpha");
    write(place.path(), "b.txt", "beta");
    write(&place.path().join("drafts"), "c.md", "gamma");
    let folder = place.path().to_str().unwrap();
    let words = ["index", folder, "--include", "*.md", "--exclude", "drafts/"];
    let (code, text, _) = run(&app.data, &words).await;
    assert!(code == Some(0) && text.contains("1 added"), "{text}");
    assert_eq!(uris(&app).await, ["a.md"]);
    let (code, _, problem) = run(&app.data, &["index", folder, "--exclude", "[z-a]"]).await;
    assert!(code == Some(2) && problem.contains("`*.md`"), "{problem}");
}

/// A `git` in that folder.
fn git(folder: &Path, arguments: &[&str]) {
    let mut command = std::process::Command::new("git");
    command.args([
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b.example",
        "-c",
        "commit.gpgsign=false",
    ]);
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?} {output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_of_a_repository_is_indexed_and_only_what_changed_is_read() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    let repository = place.path();
    git(repository, &["init", "--quiet", "--initial-branch=main"]);
    write(repository, "a.md", "# Tides\n\nThe tide turns.");
    write(&repository.join("docs"), "b.md", "# Winds\n\nThe wind drops.");
    write(repository, "c.bin", "\0\u{1}\0");
    std::os::unix::fs::symlink("/etc/passwd", repository.join("link.md")).unwrap();
    write(
        &repository.join(".git/hooks"),
        "post-checkout",
        "#!/bin/sh\ntouch /tmp/portolan-hook-ran\n",
    );
    git(repository, &["add", "."]);
    git(repository, &["commit", "--quiet", "-m", "one"]);
    let url = format!("git+file://{}", repository.display());
    let source = json!({ "kind": "git", "url": url });
    let job = index(&app, source.clone()).await;
    assert_eq!(
        (counts(&job), &job["skipped"]),
        ([2, 0, 0, 0], &json!({ "bin": 1 })),
        "{job}"
    );
    assert_eq!(uris(&app).await, [format!("{url}:a.md"), format!("{url}:docs/b.md")]);

    std::fs::rename(repository.join("a.md"), repository.join("docs/a.md")).unwrap();
    write(&repository.join("docs"), "b.md", "# Winds\n\nThe wind rises.");
    git(repository, &["add", "--all"]);
    git(repository, &["commit", "--quiet", "-m", "two"]);
    let job = index(&app, source.clone()).await;
    assert_eq!((counts(&job), &job["moved"]), ([0, 1, 0, 0], &json!(1)), "{job}");
    assert_eq!(counts(&index(&app, source).await), [0, 0, 0, 2]);

    git(repository, &["checkout", "--quiet", "-b", "next"]);
    write(repository, "d.md", "# Buoys\n\nRed and green.");
    git(repository, &["add", "."]);
    git(repository, &["commit", "--quiet", "-m", "three"]);
    let branch = format!("{url}#next");
    let job = index(&app, json!({ "kind": "git", "url": branch })).await;
    assert_eq!(counts(&job), [3, 0, 0, 0], "{job}");
    assert!(uris(&app).await.contains(&format!("{url}#next:d.md")));
    let job = index(&app, json!({ "kind": "git", "url": format!("{url}#none") })).await;
    let detail = job["errors"][0]["detail"].as_str().unwrap();
    assert!(job["state"] == "failed" && detail.contains("none"), "{job}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_but_the_same_is_not_read_again() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    git(place.path(), &["init", "--quiet", "--initial-branch=main"]);
    write(place.path(), "a.md", "# Tides\n\nThe tide turns.");
    git(place.path(), &["add", "."]);
    git(place.path(), &["commit", "--quiet", "-m", "one"]);
    let source = json!({ "kind": "git", "url": format!("git+file://{}", place.path().display()) });
    index(&app, source.clone()).await;
    let ledger = app.data.join("collections/default/sources.json");
    let before: Value = serde_json::from_slice(&std::fs::read(&ledger).unwrap()).unwrap();
    let told = before.as_object().unwrap().values().next().unwrap();
    let told = told.as_object().unwrap().values().next().unwrap().clone();
    assert_eq!(told["tag"].as_str().unwrap().len(), 40, "{before}");
    // A tag that was told under other settings proves nothing.
    let text = before.to_string();
    let other = text.replace(told["settings"].as_str().unwrap(), "other");
    std::fs::write(&ledger, &other).unwrap();
    assert_eq!(counts(&index(&app, source).await), [0, 0, 0, 1]);
    let after = std::fs::read_to_string(&ledger).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&after).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_parsed_is_read_again_and_told_again() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    git(place.path(), &["init", "--quiet", "--initial-branch=main"]);
    let source = json!({ "kind": "git", "url": format!("git+file://{}", place.path().display()) });
    for (text, errors) in [("good", 0), ("%PDF-1.4 broken", 1), ("%PDF-1.4 broken", 1)] {
        write(place.path(), "a.md", text);
        git(place.path(), &["add", "."]);
        git(place.path(), &["commit", "--quiet", "--allow-empty", "-m", "next"]);
        let job = index(&app, source.clone()).await;
        assert_eq!(job["error_count"], errors, "{text}: {job}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_a_bucket_are_documents() {
    let site = Website::start().await;
    let object = |key: &str, tag: &str, size: usize| {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2024-05-01T10:00:00.000Z</LastModified><ETag>\"{tag}\"</ETag>\
             <Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )
    };
    let list = |objects: String| {
        let xml = [("content-type", "application/xml")];
        let body = format!(
            "<?xml version=\"1.0\"?><ListBucketResult><Name>charts</Name><Prefix>docs/</Prefix><KeyCount>1</KeyCount>\
             <MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{objects}</ListBucketResult>"
        );
        site.says("charts?list-type=2&prefix=docs%2F", 200, &xml, body);
    };
    let text = "# Tides\n\nThe tide turns.";
    let dated = [("last-modified", "Wed, 01 May 2024 10:00:00 GMT")];
    list(
        [
            object("docs/a.md", "1", text.len()),
            object("docs/b.png", "2", 4),
            object("docs/c.md", "3", 5),
        ]
        .concat(),
    );
    site.says("charts/docs/a.md", 200, &dated, text);
    site.says("charts/docs/b.png", 200, &dated, "\0\u{1}\0\u{2}");
    let buckets = [
        ("AWS_ENDPOINT", site.url.trim_end_matches('/')),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_REGION", "eu-west-1"),
    ];
    let app = TestApp::with_buckets(&buckets).await;
    let source = json!({ "kind": "bucket", "url": "s3://charts/docs/" });
    let job = index(&app, source.clone()).await;
    let skipped = json!({ "png": 1, "not found": 1 });
    assert_eq!(
        (counts(&job), &job["skipped"]),
        ([1, 0, 0, 0], &skipped),
        "{job} {:?}",
        site.asked()
    );
    assert_eq!(uris(&app).await, ["s3://charts/docs/a.md"]);
    // What the list tells to be the same is not asked for. The site makes its own tags, so this is that of the answer.
    site.asked();
    let told = std::fs::read_to_string(app.data.join("collections/default/sources.json")).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    let tag = told["s3://charts/docs/"]["s3://charts/docs/a.md"]["tag"]
        .as_str()
        .unwrap()
        .to_owned();
    list(object("docs/a.md", tag.trim_matches('"'), text.len()));
    assert_eq!(counts(&index(&app, source.clone()).await), [0, 0, 0, 1]);
    assert!(!site.asked().iter().any(|asked| asked.ends_with("a.md")));
    site.forgets("charts?list-type=2&prefix=docs%2F");
    let job = index(&app, source).await;
    let detail = job["errors"][0]["detail"].as_str().unwrap();
    assert!(job["state"] == "failed" && detail.contains("AWS_"), "{job}");
    assert_eq!(uris(&app).await.len(), 1);
}

/// A `portolan index --watch --json` and the jobs that it tells of.
struct Watching {
    child: Child,
    jobs: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn start(app: &TestApp, words: &[&str]) -> Self {
        let words = [&["index", "--watch", "--json"], words].concat();
        let mut child = portolan(&app.data, &words)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let jobs = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, jobs }
    }

    /// The next job, once it has ended.
    async fn job(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.jobs.next_line()).await.unwrap();
        serde_json::from_str(&line.unwrap().unwrap()).unwrap()
    }

    /// Ctrl-C; the exit code.
    async fn stop(mut self) -> Option<i32> {
        let id = self.child.id().unwrap().to_string();
        std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .unwrap()
            .unwrap()
            .code()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_folder_is_indexed_whenever_it_changes() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    app.leave_address();
    write(place.path(), "a.md", "alpha");
    let mut watching = Watching::start(&app, &[place.path().to_str().unwrap()]);
    assert_eq!(counts(&watching.job().await), [1, 0, 0, 0]);
    write(&place.path().join("sub"), "b.md", "beta");
    let mut job = watching.job().await;
    // The folder may have been told of before the file that came into it.
    while job["added"] == 0 {
        job = watching.job().await;
    }
    assert_eq!(uris(&app).await, ["a.md", "sub/b.md"]);
    std::fs::remove_file(place.path().join("a.md")).unwrap();
    let mut job = watching.job().await;
    while job["deleted"] == 0 {
        job = watching.job().await;
    }
    assert_eq!(uris(&app).await, ["sub/b.md"]);
    assert_eq!(watching.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_looked_at_every_so_often() {
    let (app, site) = (TestApp::start().await, Website::start().await);
    app.leave_address();
    site.page("a", "Tides", &[]);
    let address = site.at("a");
    let mut watching = Watching::start(&app, &[&address, "--allow-private", "--every", "10ms"]);
    assert_eq!(counts(&watching.job().await), [1, 0, 0, 0]);
    site.page("a", "Ebb tides", &[]);
    let mut job = watching.job().await;
    while job["changed"] == 0 {
        job = watching.job().await;
    }
    assert_eq!(watching.stop().await, Some(0));
    let (code, _, problem) = run(&app.data, &["index", &address, "--every", "1h"]).await;
    assert!(code == Some(2) && problem.contains("--watch"), "{problem}");
}
