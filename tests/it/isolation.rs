//! Documents that take their parser with them: the others are indexed, and those are not tried for ever.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use indexer::chunk::Chunking;
use indexer::types::{Item, Metadata};
use indexer::worker;
use portolan::engine::Parsers;
use serde_json::Value;

use crate::app::TestApp;
use crate::indexing::{index, uris, write};

const PORTOLAN: &str = env!("CARGO_BIN_EXE_portolan");

/// The real parser, one start a document, which `starts` counts; but it crashes where the name has `bomb` in it.
pub fn fragile(folder: &Path) -> Parsers {
    let (text, program) = (folder.join("script"), folder.join("fragile"));
    let script = format!(
        "#!/bin/sh\ncd {folder} || exit 1\necho >> starts\nhead -c 4 > $$.length\n\
         head -c $(od -An -tu4 $$.length) > $$.head\ngrep -q bomb $$.head && kill -SEGV $$\n\
         {{ cat $$.length $$.head; head -c $(sed 's/.*\"bytes\":\\([0-9]*\\).*/\\1/' $$.head); }} | {PORTOLAN} parse\n",
        folder = folder.display(),
    );
    std::fs::write(&text, script).unwrap();
    std::fs::set_permissions(&text, PermissionsExt::from_mode(0o700)).unwrap();
    // Written by another process: one that another test starts meanwhile would hold it open, and it could not run.
    let copied = Command::new("cp").args([&text, &program]).status();
    assert!(copied.unwrap().success());
    Parsers::children(program)
}

pub fn starts(folder: &Path) -> usize {
    std::fs::read(folder.join("starts")).map_or(0, |lines| lines.len())
}

/// Kind, name and detail of the one error.
fn error(job: &Value) -> [&str; 3] {
    assert_eq!(job["errors"].as_array().unwrap().len(), 1, "{job}");
    ["kind", "uri", "detail"].map(|key| job["errors"][0][key].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_kills_its_parser_costs_itself_alone_and_is_not_tried_for_ever() {
    let (work, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let app = TestApp::parsing(fragile(work.path())).await;
    for name in ["a.md", "bomb.md", "c.md"] {
        write(place.path(), name, &format!("The text of {name}"));
    }
    let first = index(&app, "default", place.path()).await;
    let [kind, uri, detail] = error(&first);
    assert_eq!((kind, uri), ("crashed", "bomb.md"));
    assert!(
        detail.contains("signal 11") && !detail.contains("quarantine"),
        "once may be chance: {detail}"
    );
    assert_eq!(uris(&app).await, ["a.md", "c.md"]);

    let second = index(&app, "default", place.path()).await;
    assert!(error(&second)[2].contains("quarantine"), "{second}");
    let before = starts(work.path());
    let third = index(&app, "default", place.path()).await;
    assert!(error(&third)[2].contains("quarantine"), "{third}");
    assert_eq!(starts(work.path()), before, "what is held is not parsed");

    write(place.path(), "bomb.md", "Another text");
    let changed = index(&app, "default", place.path()).await;
    assert!(!error(&changed)[2].contains("quarantine"), "{changed}");
    assert_eq!(starts(work.path()), before + 1);
    std::fs::rename(place.path().join("bomb.md"), place.path().join("tame.md")).unwrap();
    index(&app, "default", place.path()).await;
    assert_eq!(uris(&app).await, ["a.md", "c.md", "tame.md"]);
}

#[test]
fn a_parser_may_use_little() {
    let mut command = Command::new(PORTOLAN);
    let command = command.arg("parse").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut parser = command.spawn().unwrap();
    let item = Item {
        uri: "a.md".into(),
        media_type: None,
        bytes: b"# A\n\nWords.".into(),
        metadata: Metadata::new(),
        principals: Vec::new(),
        modified: None,
    };
    let request = worker::request(&item, "print", Chunking::default()).unwrap();
    let mut input = parser.stdin.take().unwrap();
    input.write_all(&[&request[..], &item.bytes].concat()).unwrap();
    let mut length = [0; 4];
    let mut output = parser.stdout.take().unwrap();
    output.read_exact(&mut length).unwrap();
    // It has answered, so its limits are set.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", parser.id())).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(limit("Max address space"), (2_u64 << 30).to_string());
    assert_eq!([limit("Max file size"), limit("Max core file size")], ["0", "0"]);
    drop(input);
    let mut answer = Vec::new();
    output.read_to_end(&mut answer).unwrap();
    assert_eq!(worker::answer(&answer).unwrap().unwrap().0.title, "A");
    assert!(parser.wait().unwrap().success(), "it ends with its input");
}

#[test]
fn the_pages_of_a_scan_are_read_below_the_same_limits_where_tesseract_is_installed() {
    let mut command = Command::new(PORTOLAN);
    let command = command
        .arg("parse")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut parser = command.spawn().unwrap();
    let item = Item {
        uri: "scan.pdf".into(),
        media_type: None,
        bytes: include_bytes!("../../fixtures/scan.pdf").to_vec(),
        metadata: Metadata::new(),
        principals: Vec::new(),
        modified: None,
    };
    let request = worker::request(&item, "print", Chunking::default()).unwrap();
    let mut input = parser.stdin.take().unwrap();
    input.write_all(&[&request[..], &item.bytes].concat()).unwrap();
    drop(input);
    let mut answer = Vec::new();
    parser.stdout.take().unwrap().read_to_end(&mut answer).unwrap();
    parser.wait().unwrap();
    let (document, chunks) = worker::answer(&answer[4..]).unwrap().unwrap();
    if Path::new("/usr/bin/tesseract").exists() {
        let place = |words: &str| document.text.find(words).unwrap();
        let page = |at: usize| document.pages.as_ref().unwrap().of(&(at..at + 1));
        assert_eq!(page(place("two anchors ready")), [1, 1]);
        assert_eq!(page(place("winds the lamp at dusk")), [2, 2]);
        assert_eq!(chunks.len(), 1);
    } else {
        let unread = document.metadata["unread"].to_string();
        assert!(
            unread.contains("pages 1-2") && unread.contains("`tesseract-ocr`"),
            "{unread}"
        );
    }
}
