//! The rules of the house: layers, first lines, file lengths. They run as tests, so that nobody has to remember.

use std::fs;
use std::path::{Path, PathBuf};

/// Rungs from the top; a module may import from its own folder and from lower rungs. `app` is exempt.
const RUNGS: &[&[&str]] = &[
    &["main", "cli"],
    &["app"],
    &["http"],
    &["engine"],
    &["index", "gateway", "store", "telemetry"],
    &["config"],
    &["types", "error"],
];
/// Outside crates and the only module that may name them; `app` is exempt.
const OWNERS: &[(&str, &str)] = &[
    ("axum", "http"),
    ("rmcp", "http"),
    ("tantivy", "index"),
    ("qdrant_edge", "index"),
    ("qdrant_client", "index"),
    ("fastembed", "gateway"),
    ("reqwest", "gateway"),
    ("async_openai", "gateway"),
    ("sqlx", "store"),
    ("minijinja", "engine"),
];
const LONGEST_FILE: usize = 400;

#[test]
fn every_file_says_what_is_in_it_and_stays_short() {
    let mut faults = Vec::new();
    for file in rust_files() {
        let text = fs::read_to_string(&file).unwrap();
        if !text.starts_with("//! ") {
            faults.push(format!("{}: the first line is no `//!`", file.display()));
        }
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            faults.push(format!("{}: {lines} lines, at most {LONGEST_FILE}", file.display()));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn imports_only_go_down() {
    let mut faults = Vec::new();
    for (module, file, text) in modules() {
        let Some(own) = rung(&module) else {
            faults.push(format!(
                "{}: `{module}` is on no rung; DESIGN.md names them",
                file.display()
            ));
            continue;
        };
        for (at, line) in code(&text) {
            for imported in crate_paths(line).filter(|imported| *imported != module) {
                let Some(theirs) = rung(&imported) else { continue };
                // The values and the error may know each other.
                let bottom = own == RUNGS.len() - 1 && theirs == own;
                if module != "app" && theirs <= own && !bottom {
                    faults.push(format!(
                        "{}:{}: `{module}` imports `{imported}`",
                        file.display(),
                        at + 1
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn an_outside_crate_is_named_on_one_rung() {
    let mut faults = Vec::new();
    for (module, file, text) in modules() {
        for (at, line) in code(&text) {
            for (name, owner) in OWNERS {
                if module != *owner && module != "app" && line.contains(&format!("{name}::")) {
                    faults.push(format!("{}:{}: `{name}` belongs to `{owner}`", file.display(), at + 1));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

fn rung(module: &str) -> Option<usize> {
    RUNGS.iter().position(|rung| rung.contains(&module))
}

/// Lines that are no comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn crate_paths(line: &str) -> impl Iterator<Item = String> + '_ {
    let after = line.split("crate::").skip(1);
    after.map(|rest| {
        rest.chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect()
    })
}

/// Top module, file and text of everything in src/.
fn modules() -> Vec<(String, PathBuf, String)> {
    let source = root().join("src");
    let own: Vec<PathBuf> = rust_files()
        .into_iter()
        .filter(|file| file.starts_with(&source))
        .collect();
    own.into_iter()
        .filter(|file| !file.ends_with("lib.rs"))
        .map(|file| {
            let first = file.strip_prefix(&source).unwrap().components().next().unwrap();
            let module = Path::new(first.as_os_str())
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let text = fs::read_to_string(&file).unwrap();
            (module, file, text)
        })
        .collect()
}

fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["src", "indexer/src", "tests", "benches"] {
        collect(&root().join(folder), &mut files);
    }
    assert!(files.len() > 20, "the walk found only {} files", files.len());
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
