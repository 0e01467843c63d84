//! What a folder gives, what it leaves out, and what takes a file's place.

use super::*;

/// What is no document.
const PICTURE: &str = "\u{1}PNG\0\0\0\u{1}";

fn check(files: &[(&str, &str)], expected: &[&str]) {
    let root = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let entries = folder(root.path()).unwrap().entries();
    let uris: Vec<&str> = entries.iter().map(|entry| entry.uri.as_str()).collect();
    assert_eq!(uris, expected);
    for entry in &entries {
        let wanted = files.iter().find(|(name, _)| *name == entry.uri).unwrap();
        assert_eq!(read(entry).unwrap().bytes, wanted.1.as_bytes());
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
    let source = folder(root.path()).unwrap();
    assert!(source.entries().is_empty());
    let reasons: Vec<&str> = source.skipped().iter().map(|skipped| skipped.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "not a type that can be indexed",
            "over 64 MB; split it into smaller files",
            "its name holds control characters; rename it"
        ]
    );
}

#[test]
fn a_single_file_is_a_source() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("note.md");
    fs::write(&path, "hello").unwrap();
    assert_eq!(folder(&path).unwrap().entries()[0].uri, "note.md");
}

#[test]
fn errors_name_the_path() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a.exe"), PICTURE).unwrap();
    for name in ["missing", "a.exe"] {
        let message = folder(&root.path().join(name)).unwrap_err().to_string();
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
    let entries = folder(root.path()).unwrap().entries();
    for entry in &entries {
        fs::remove_file(&entry.path).unwrap();
    }
    std::os::unix::fs::symlink(secret.path(), &entries[0].path).unwrap();
    fs::create_dir(&entries[1].path).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&entries[2].path)
            .status()
            .unwrap()
            .success()
    );
    for entry in &entries {
        let message = read(entry).unwrap_err().to_string();
        assert!(message.contains(&entry.uri), "{message}");
    }
    // A link that is named is meant.
    let link = root.path().join("link.md");
    std::os::unix::fs::symlink(secret.path(), &link).unwrap();
    let entries = folder(&link).unwrap().entries();
    assert_eq!(
        (entries[0].uri.as_str(), read(&entries[0]).unwrap().bytes),
        ("link.md", b"secret".to_vec())
    );
}

#[test]
fn links_are_not_followed() {
    let root = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.md"), "").unwrap();
    std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.md"), root.path().join("link.md")).unwrap();
    assert!(folder(root.path()).unwrap().entries().is_empty());
}
