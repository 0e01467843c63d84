//! The commands as a person runs them: what they print, what they leave and how they end.

use std::path::Path;
use std::process::{Output, Stdio};

use portolan::store::Store;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::app::{QUESTION, TestApp};
use crate::portkey::free_port;

/// The binary over that data folder, with no settings but these arguments. It finds no model files.
pub fn portolan(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
    command.args(arguments).arg("--data").arg(data);
    command.env_clear().current_dir(data.parent().unwrap());
    command
}

pub async fn run(data: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    told(&portolan(data, arguments).output().await.unwrap())
}

/// Exit code, standard output and standard error.
fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_a_failure_and_only_a_wrong_option_is_wrong_use() {
    let app = TestApp::start().await;
    app.leave_address();
    let (code, _, problem) = run(&app.data, &["search", "x", "--collection", "none"]).await;
    assert!(code == Some(1) && problem.contains("`none`"), "{code:?} {problem}");
    let (code, _, problem) = run(&app.data, &["search", "x", "--limit", "0"]).await;
    assert!(code == Some(2) && problem.contains("limit"), "{code:?} {problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn for_a_script_a_failure_is_json_too() {
    let app = TestApp::start().await;
    app.leave_address();
    let check = async |arguments: &[&str], code: i32, kind: &str, pointer: Option<&str>| {
        let (ended, out, notes) = run(&app.data, arguments).await;
        let error = &serde_json::from_str::<Value>(&out).unwrap_or_else(|_| panic!("no JSON: {out} {notes}"))["error"];
        assert_eq!(ended, Some(code), "{error}");
        assert_eq!(error["type"], format!("urn:portolan:problem:{kind}"), "{error}");
        assert!(error["status"].is_u64() && error["title"].is_string(), "{error}");
        assert!(notes.contains(error["detail"].as_str().unwrap()), "{error} {notes}");
        assert_eq!(error["errors"][0]["pointer"].as_str(), pointer, "{error}");
    };
    check(&["search", "x", "--json", "--collection", "none"], 1, "not-found", None).await;
    check(
        &["search", "x", "--json", "--limit", "0"],
        2,
        "bad-input",
        Some("/limit"),
    )
    .await;
    check(
        &["search", "x", "--json", "--sort", "date:down"],
        2,
        "bad-input",
        Some("/sort"),
    )
    .await;
    check(&["search", "x", "--json", "--limit", "many"], 2, "bad-input", None).await;
    let (_, out, _) = run(&app.data, &["search", "x", "--limit", "0"]).await;
    assert_eq!(out, "");
    let (_, out, _) = run(&app.data, &["search", "--json"]).await;
    assert!(out.contains("required arguments were not provided: <QUERY>\""), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_shows_what_was_found_and_for_which_words() {
    let app = TestApp::indexed().await;
    let before = "A sentence about nothing in particular. ".repeat(20);
    let text = format!("# Sextant\n\n{before}The sextant hangs in the chart room.");
    app.put(json!({ "uri": "sextant.md", "text": text })).await;
    app.leave_address();
    let search = async |arguments: &[&str]| {
        let (code, out, notes) = run(&app.data, arguments).await;
        assert_eq!(code, Some(0), "{notes}");
        out
    };
    let out = search(&["search", "hangs", "--mode", "lexical"]).await;
    assert!(
        out.contains("The sextant hangs in the chart room.\n1 passage\n"),
        "{out}"
    );
    assert!(!out.contains('\u{1b}'), "no terminal reads this: {out}");
    let out = search(&["search", "sextnat hangs", "--mode", "lexical"]).await;
    assert!(
        out.starts_with("no document has \"sextnat\"; searched for \"sextant\"\n"),
        "{out}"
    );
    let out = search(&["search", "every", "--mode", "lexical", "--limit", "1"]).await;
    assert!(out.ends_with("\n1 of 2 passages\n"), "{out}");
    // A query may begin with a hyphen.
    let out = search(&["search", "-hangs every", "--mode", "lexical"]).await;
    assert!(out.ends_with("\n2 passages\n"), "{out}");
    let out = search(&["search", "-plumb", "--mode", "lexical"]).await;
    assert_eq!(out, "nothing was found\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_is_deleted_only_by_who_says_so() {
    let app = TestApp::indexed().await;
    app.leave_address();
    let (code, out, _) = run(&app.data, &["collections"]).await;
    assert_eq!((code, out.as_str()), (Some(0), "default: 2 documents, 2 chunks\n"));
    let (code, _, problem) = run(&app.data, &["collections", "delete", "default"]).await;
    assert!(
        code == Some(2) && problem.contains("2 documents") && problem.contains("--yes"),
        "{problem}"
    );
    assert_eq!(app.get("/v1/documents").await.0, 200);
    let (code, out, _) = run(&app.data, &["collections", "delete", "default", "--yes"]).await;
    assert_eq!((code, out.as_str()), (Some(0), "`default` is deleted\n"));
    let (code, _, problem) = run(&app.data, &["collections", "delete", "default", "--yes"]).await;
    assert!(code == Some(1) && problem.contains("no collection named"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_ends_at_the_models_limit_says_so() {
    let app = TestApp::indexed().await;
    app.leave_address();
    let (code, text, notes) = run(&app.data, &["ask", QUESTION, "--model", "limit"]).await;
    assert!(code == Some(0) && text.contains("And then"), "{code:?} {text} {notes}");
    assert!(notes.contains("cut at the model's limit"), "{notes}");
    let (_, _, notes) = run(&app.data, &["ask", QUESTION, "--model", "backups"]).await;
    assert_eq!(notes, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_nothing_that_can_be_read_fails_and_tells_what_can() {
    let app = TestApp::start().await;
    app.leave_address();
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("a.png"), "\0\u{1}\u{2}").unwrap();
    let (code, text, _) = run(&app.data, &["index", place.path().to_str().unwrap()]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("1 png") && text.contains("Markdown"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_leaves_nothing_and_tells_of_a_model_that_is_away() {
    let place = tempfile::tempdir().unwrap();
    let (data, routes) = (place.path().join("none"), place.path().join("routes.toml"));
    let url = format!("http://127.0.0.1:{}/v1", free_port());
    let text = format!(
        "[[route]]\nname = \"near\"\ndescription = \"\"\nkind = \"gateway\"\ndefault = true\n[[route.target]]\n\
         provider = \"openai\"\nmodel = \"m\"\nbase_url = \"{url}\"\nwindow = 100\nmax_output = 10\n"
    );
    std::fs::write(&routes, text).unwrap();
    // The command runs in `place`, where its configuration lies.
    let config = "[rerank]\nkind = \"cross-encoder\"\nmodel = \"nowhere\"\n";
    std::fs::write(place.path().join("portolan.toml"), config).unwrap();
    let mut doctor = portolan(&data, &["doctor", "--json", "--listen", "127.0.0.1:0"]);
    doctor.env("PORTOLAN_ROUTES", &routes);
    let (_, lines, problem) = told(&doctor.output().await.unwrap());
    let checks: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named = |name: &str| {
        let check = checks.iter().find(|check| check["check"] == name);
        check.unwrap_or_else(|| panic!("{lines} {problem}"))
    };
    let reranker = named("reranker");
    assert_eq!(reranker["state"], "FAULT", "{reranker}");
    assert!(reranker["fault"].as_str().unwrap().contains("`make run`"), "{reranker}");
    let route = named("route near");
    assert_eq!(route["state"], "note", "{route}");
    assert!(route["fault"].as_str().unwrap().contains(&url), "{route}");
    assert!(!data.exists(), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_command_waits_for_the_first() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let first = Store::open(&data.join("portolan.sqlite")).await.unwrap();
    let mut second = portolan(&data, &["search", "x"]);
    let mut second = second.stderr(Stdio::piped()).spawn().unwrap();
    let mut notes = BufReader::new(second.stderr.take().unwrap());
    let mut note = String::new();
    notes.read_line(&mut note).await.unwrap();
    assert!(note.contains("waiting"), "{note}");
    drop(first);
    let mut rest = String::new();
    notes.read_to_string(&mut rest).await.unwrap();
    // Without model files it fails, but not for the folder.
    assert!(
        rest.contains("ONNX Runtime") && !rest.contains("another portolan"),
        "{rest}"
    );
    second.wait().await.unwrap();
}

#[tokio::test]
async fn log_lines_in_a_file_have_no_colours_and_may_be_json() {
    let place = tempfile::tempdir().unwrap();
    // A filter that cannot be read is told in a log line.
    let lines = async |format: &str| {
        let mut command = portolan(&place.path().join("none"), &["search", "x"]);
        command.env("PORTOLAN_LOG", "a=b=c").env("PORTOLAN_LOG_FORMAT", format);
        told(&command.output().await.unwrap()).2
    };
    let text = lines("").await;
    assert!(
        text.contains("the log filter cannot be read") && !text.contains('\u{1b}'),
        "{text:?}"
    );
    let text = lines("json").await;
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["level"], json!("WARN"), "{line}");
    assert!(lines("xml").await.contains("PORTOLAN_LOG_FORMAT"));
}

#[tokio::test]
async fn help_names_the_defaults() {
    let help = Command::new(env!("CARGO_BIN_EXE_portolan")).arg("--help").output();
    let (_, text, _) = told(&help.await.unwrap());
    assert!(text.contains(".portolan/data") && text.contains("unless set"), "{text}");
}
