//! What a folder gives, what it leaves out, and what takes a file's place.

use std::collections::BTreeMap;

use super::*;

/// The folder at `root`, all of it.
fn folder(root: &Path) -> Result<Folder, SourceError> {
    Folder::open(root, &Filter::default(), &Path::to_path_buf)
}

fn entries(folder: &mut Folder) -> Vec<Entry> {
    folder.list(&Before::new()).unwrap().entries
}

fn read(folder: &mut Folder, entry: &Entry) -> Result<Vec<u8>, SourceError> {
    match folder.read(entry, None)? {
        Reading::Item(item, None) => Ok(item.bytes),
        other => panic!("{other:?}"),
    }
}

/// What is no document.
const PICTURE: &str = "\u{1}PNG\0\0\0\u{1}";

fn check(files: &[(&str, &str)], expected: &[&str]) {
    let root = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let mut folder = folder(root.path()).unwrap();
    let entries = entries(&mut folder);
    let uris: Vec<&str> = entries.iter().map(|entry| entry.uri.as_str()).collect();
    assert_eq!(uris, expected);
    for entry in &entries {
        let wanted = files.iter().find(|(name, _)| *name == entry.uri).unwrap();
        assert_eq!(read(&mut folder, entry).unwrap(), wanted.1.as_bytes());
    }
}

#[test]
fn a_folder_yields_its_documents_in_order() {
    check(&[], &[]);
    check(
        &[("b/x.MD", "1"), ("a.txt", "2"), ("b.html", "3")],
        &["a.txt", "b.html", "b/x.MD"],
    );
    check(&[("a.png", PICTURE), (".hidden.md", ""), (".git/x.md", "")], &[]);
    check(
        &[
            ("Makefile", "all:"),
            ("a.bin", "words"),
            ("b.docx", "PK\u{3}\u{4}"),
            ("c.jar", "PK\u{3}\u{4}"),
        ],
        &["Makefile", "a.bin", "b.docx"],
    );
    check(
        &[(".gitignore", "drafts/\n"), ("drafts/a.md", ""), ("b.md", "")],
        &["b.md"],
    );
}

#[test]
fn what_is_left_out_is_told() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a.png"), PICTURE).unwrap();
    fs::write(root.path().join("c\u{1b}[2J.md"), "").unwrap();
    File::create(root.path().join("b.md"))
        .unwrap()
        .set_len(MAX_FILE_BYTES + 1)
        .unwrap();
    let part = folder(root.path()).unwrap().list(&Before::new()).unwrap();
    assert!(part.entries.is_empty() && part.last);
    let reasons: Vec<Reason> = part.skipped.into_iter().map(|skipped| skipped.reason).collect();
    assert_eq!(
        reasons,
        [
            Reason::Kind("png".into()),
            Reason::Fault("over 64 MB; split it into smaller files".into()),
            Reason::Fault("its name holds control characters; rename it".into())
        ]
    );
}

#[test]
fn a_single_file_is_a_source() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("note.md");
    fs::write(&path, "hello").unwrap();
    assert_eq!(entries(&mut folder(&path).unwrap())[0].uri, "note.md");
}

#[test]
fn errors_name_the_path() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a.exe"), PICTURE).unwrap();
    for name in ["missing", "a.exe"] {
        let message = folder(&root.path().join(name)).err().unwrap().to_string();
        assert!(message.contains(name) && message.contains("; "), "{message}");
    }
}

#[test]
fn what_takes_a_files_place_is_not_read() {
    let root = tempfile::tempdir().unwrap();
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(&secret, "secret").unwrap();
    for name in ["a.md", "b.md", "c.md"] {
        fs::write(root.path().join(name), "words").unwrap();
    }
    let mut source = folder(root.path()).unwrap();
    let listed = entries(&mut source);
    let paths: Vec<PathBuf> = listed.iter().map(|entry| root.path().join(&entry.uri)).collect();
    for path in &paths {
        fs::remove_file(path).unwrap();
    }
    std::os::unix::fs::symlink(secret.path(), &paths[0]).unwrap();
    fs::create_dir(&paths[1]).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&paths[2])
            .status()
            .unwrap()
            .success()
    );
    for entry in &listed {
        let message = read(&mut source, entry).unwrap_err().to_string();
        assert!(message.contains(&entry.uri), "{message}");
    }
    // A link that is named is meant.
    let link = root.path().join("link.md");
    std::os::unix::fs::symlink(secret.path(), &link).unwrap();
    let mut source = folder(&link).unwrap();
    let listed = entries(&mut source);
    assert_eq!(read(&mut source, &listed[0]).unwrap(), b"secret");
}

#[test]
fn links_are_not_followed() {
    let root = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.md"), "").unwrap();
    std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.md"), root.path().join("link.md")).unwrap();
    assert!(entries(&mut folder(root.path()).unwrap()).is_empty());
}

#[test]
fn patterns_say_which_files_and_open_nothing_that_is_hidden() {
    let root = tempfile::tempdir().unwrap();
    for name in [
        "a.md",
        "b.txt",
        ".secret.md",
        "drafts/c.md",
        "docs/drafts/d.md",
        "docs/e.md",
    ] {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "words").unwrap();
    }
    let check = |include: &[&str], exclude: &[&str], expected: &[&str]| {
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let (include, exclude) = (owned(include), owned(exclude));
        let filter = Filter { include, exclude };
        let mut source = Folder::open(root.path(), &filter, &Path::to_path_buf).unwrap();
        let listed = entries(&mut source);
        let uris: Vec<&str> = listed.iter().map(|entry| entry.uri.as_str()).collect();
        assert_eq!(uris, expected);
    };
    check(&["*"], &["drafts/"], &["a.md", "b.txt", "docs/e.md"]);
    check(&["*.md"], &["/drafts"], &["a.md", "docs/drafts/d.md", "docs/e.md"]);
    check(&["docs/", "!docs/drafts/"], &[], &["docs/e.md"]);
    let filter = Filter {
        exclude: vec!["[z-a]".into()],
        ..Filter::default()
    };
    let error = Folder::open(root.path(), &filter, &Path::to_path_buf).err().unwrap();
    assert!(error.to_string().contains("`*.md`"), "{error}");
}

#[test]
fn of_a_part_of_a_folder_the_names_begin_above_it() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("sub")).unwrap();
    fs::write(root.path().join("sub/a.md"), "words").unwrap();
    let above = root.path().canonicalize().unwrap();
    let mut source = Folder::open(&root.path().join("sub"), &Filter::default(), &|_| above.clone()).unwrap();
    assert_eq!(entries(&mut source)[0].uri, "sub/a.md");
    assert!(source.covers("sub/b.md") && !source.covers("subway/c.md") && !source.covers("d.md"));
}

/// What was told of the only file when it was read, and the tag that it is listed with.
fn tags(root: &Path) -> (Option<String>, Option<String>) {
    let mut source = folder(root).unwrap();
    let listed = entries(&mut source);
    let Reading::Item(_, told) = source.read(&listed[0], None).unwrap() else {
        panic!("it was read")
    };
    (told, listed[0].tag.clone())
}

#[test]
fn a_file_is_told_by_its_times_once_they_tell_the_next_change() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.md");
    let long_ago = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let set = |path: &Path, time: SystemTime| File::options().append(true).open(path).unwrap().set_modified(time);
    fs::write(&path, "one").unwrap();
    set(&path, SystemTime::now() + Duration::from_mins(5)).unwrap();
    assert_eq!(tags(root.path()).0, None, "its next change may be before that");
    set(&path, long_ago).unwrap();
    let (told, listed) = tags(root.path());
    assert!(told.is_some() && told == listed, "{told:?} {listed:?}");
    // As long and as old, and yet another file.
    let other = root.path().join(".other");
    fs::write(&other, "two").unwrap();
    set(&other, long_ago).unwrap();
    fs::rename(&other, &path).unwrap();
    let (other, _) = tags(root.path());
    assert!(other.is_some() && other != told, "{other:?} {told:?}");
}

#[test]
fn a_time_is_settled_when_the_clock_has_passed_it_by_a_step() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.md");
    fs::write(&path, "one").unwrap();
    let facts = fs::metadata(&path).unwrap();
    let modified = facts.modified().unwrap();
    let check = |now: SystemTime, expected: bool| assert_eq!(is_settled(&facts, now), expected);
    check(modified, false);
    check(modified + STEP - Duration::from_nanos(1), false);
    check(modified + STEP, true);
    check(modified - STEP, false);
}

#[test]
fn what_is_listed_as_before_is_not_opened() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("picture");
    fs::write(&path, PICTURE).unwrap();
    let facts = fs::symlink_metadata(&path).unwrap();
    let list = |before: Before| folder(root.path()).unwrap().list(&before).unwrap().entries.len();
    let known = |tag: Option<String>| list(BTreeMap::from([("picture".to_owned(), tag)]));
    assert_eq!(known(Some(tag(&facts))), 1, "it was a document then");
    assert_eq!(known(Some("another".to_owned())), 0);
    assert_eq!(known(None), 0);
}
