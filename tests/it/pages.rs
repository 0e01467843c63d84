//! What a reader can type, over each seventh page of a large product's documentation; the questions are made from the
//! pages themselves. Skipped where the data is not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use indexer::chunk::Chunking;
use indexer::types::{Chunk, ChunkId, DocumentId, Item, Metadata};
use portolan::index::{Collection, Identity, Replacement};
use portolan::types::{Query, QueryInput, Reader};

/// Of 9,753 pages, one in so many.
const EVERY: usize = 7;
const IDENTIFIERS: usize = 60;
const PHRASES: usize = 40;
const EXCLUSIONS: usize = 30;
const TYPOS: usize = 110;
/// Of typos, this share must lead to the right page among the first three.
const TYPOS_FOUND: f64 = 0.95;
/// What else is in a question.
const AROUND: &[&str] = &[
    "how do I use {} in a class template",
    "compiler error about {} when linking the library",
    "{}",
    "example of the function {} and its return value",
];

/// A chunk and its words, told without the analyser.
struct Piece {
    id: ChunkId,
    document: DocumentId,
    words: Vec<String>,
    identifiers: BTreeSet<String>,
}

#[tokio::test]
async fn pages_are_found_by_what_stands_in_them() {
    let Some(archive) = archive() else {
        println!("skipped: no data");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    unpack(&archive, folder.path());
    let (pages, pieces) = read(folder.path());
    println!("{} pages, {} chunks", pages.len(), pieces.len());
    let collection = index(&folder.path().join("index"), &pages).await;
    let mut faults = Vec::new();
    let exact = [identifiers(&pieces), phrases(&pieces), exclusions(&pieces)].concat();
    for (query, expected, without) in &exact {
        let found = first(&collection, query);
        let holds = |chunk: &ChunkId| {
            let piece = pieces.iter().find(|piece| piece.id == *chunk).unwrap();
            piece.words.contains(without)
        };
        if found.first() != Some(expected) || found.iter().any(holds) {
            faults.push(query);
        }
    }
    println!(
        "{} of {} exact questions answered",
        exact.len() - faults.len(),
        exact.len()
    );
    assert!(
        faults.is_empty() && exact.len() == IDENTIFIERS + PHRASES + EXCLUSIONS,
        "{faults:#?}"
    );
    let typos = typos(&pages, &pieces);
    let missed: Vec<_> = typos
        .iter()
        .filter(|(query, page)| !among_three(&collection, &pieces, query, *page))
        .collect();
    let share = 1.0 - missed.len() as f64 / typos.len() as f64;
    println!(
        "{share:.3} of {} mistyped questions answered, not: {missed:#?}",
        typos.len()
    );
    assert!(share >= TYPOS_FOUND && typos.len() == TYPOS, "{missed:#?}");
}

fn archive() -> Option<PathBuf> {
    let data = std::env::var_os("PORTOLAN_EVAL_DATA").map(PathBuf::from);
    let data = data.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    Some(data.join("cpp-docs.tgz")).filter(|archive| archive.is_file())
}

fn unpack(archive: &Path, folder: &Path) {
    let mut tar = Command::new("tar");
    tar.arg("xzf")
        .arg(archive)
        .arg("-C")
        .arg(folder)
        .args(["--wildcards", "*.md"]);
    assert!(tar.status().unwrap().success());
}

/// The pages with their chunks, and what stands in those.
fn read(folder: &Path) -> (Vec<(indexer::types::Document, Vec<Chunk>)>, Vec<Piece>) {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort();
    let (mut pages, mut pieces) = (Vec::new(), Vec::new());
    for file in files.iter().step_by(EVERY) {
        let item = Item {
            uri: file.strip_prefix(folder).unwrap().display().to_string(),
            media_type: None,
            bytes: std::fs::read(file).unwrap(),
            metadata: Metadata::new(),
            principals: Vec::new(),
            modified: None,
        };
        let Ok(document) = indexer::parse::document(&item, &indexer::fingerprint::of(&item, Chunking::default()))
        else {
            continue;
        };
        let chunks = indexer::chunk::split(&document, Chunking::default());
        for chunk in &chunks {
            let text = Chunk::embedded_text(&document.title, &chunk.heading_path, &chunk.text);
            pieces.push(Piece {
                id: chunk.id,
                document: document.id,
                words: words(&text),
                identifiers: names(&text),
            });
        }
        pages.push((document, chunks));
    }
    (pages, pieces)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

fn words(text: &str) -> Vec<String> {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// `std::string`, `_CRT_WARN`, `C2065`.
fn names(text: &str) -> BTreeSet<String> {
    let pieces = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_:.-/@+#".contains(c)));
    let pieces = pieces.map(|piece| piece.trim_matches([':', '.', '-']));
    let name = |piece: &&str| {
        let plain = piece
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte));
        let letters = piece.bytes().take_while(u8::is_ascii_uppercase).count();
        let coded = (1..=4).contains(&letters) && piece.len() == letters + 4;
        let coded = coded && piece.bytes().skip(letters).all(|byte| byte.is_ascii_digit());
        plain && piece.len() > 4 && (coded || piece.contains("::") || piece.trim_matches('_').contains('_'))
    };
    pieces.filter(name).map(str::to_lowercase).collect()
}

async fn index(folder: &Path, pages: &[(indexer::types::Document, Vec<Chunk>)]) -> Arc<Collection> {
    let identity = Identity::current("none", 2);
    let collection = Collection::open(folder, "pages", identity, None).await.unwrap();
    for batch in pages.chunks(500) {
        let replacement = |(document, chunks): &(indexer::types::Document, Vec<Chunk>)| Replacement {
            document: document.clone(),
            vectors: vec![vec![1.0, 0.0]; chunks.len()],
            chunks: chunks.clone(),
            tokens: Vec::new(),
            texts: Vec::new(),
        };
        collection
            .publish(batch.iter().map(replacement).collect(), Vec::new())
            .await
            .unwrap();
    }
    collection
}

fn first(collection: &Collection, text: &str) -> Vec<ChunkId> {
    let input = QueryInput {
        text: text.to_owned(),
        ..QueryInput::default()
    };
    let query = Query::parse(input, Reader::Everything).unwrap();
    let asked = collection.understand(&query).unwrap();
    let found = collection.lexical(&asked, 10).unwrap();
    found.into_iter().map(|hit| hit.chunk).collect()
}

fn among_three(collection: &Collection, pieces: &[Piece], query: &str, page: DocumentId) -> bool {
    let page_of = |chunk: &ChunkId| pieces.iter().find(|piece| piece.id == *chunk).unwrap().document;
    let mut pages: Vec<DocumentId> = Vec::new();
    for chunk in first(collection, query) {
        let page = page_of(&chunk);
        if !pages.contains(&page) {
            pages.push(page);
        }
    }
    pages.iter().take(3).any(|found| *found == page)
}

/// Query, the chunk that must come first, and a word that no chunk may hold.
type Question = (String, ChunkId, String);

/// So many of `all`, evenly spread.
fn spread<T>(all: Vec<T>, count: usize) -> Vec<T> {
    let step = (all.len() / count).max(1);
    all.into_iter().step_by(step).take(count).collect()
}

fn holders(pieces: &[Piece]) -> BTreeMap<&str, Vec<&Piece>> {
    let mut holders: BTreeMap<&str, Vec<&Piece>> = BTreeMap::new();
    for piece in pieces {
        for name in &piece.identifiers {
            holders.entry(name).or_default().push(piece);
        }
    }
    holders
}

fn identifiers(pieces: &[Piece]) -> Vec<Question> {
    let unique: Vec<_> = holders(pieces)
        .into_iter()
        .filter(|(_, held)| held.len() == 1)
        .collect();
    let chosen = spread(unique, IDENTIFIERS).into_iter().zip(AROUND.iter().cycle());
    let question =
        |((name, held), around): ((&str, Vec<&Piece>), &&str)| (around.replace("{}", name), held[0].id, String::new());
    chosen.map(question).collect()
}

/// Four words in a row that stand in one chunk only.
fn phrases(pieces: &[Piece]) -> Vec<Question> {
    let plain = |words: &&[String]| {
        words
            .iter()
            .all(|word| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase()))
    };
    let candidates: BTreeSet<&[String]> = pieces
        .iter()
        .step_by(23)
        .filter_map(|piece| piece.words.windows(4).skip(40).find(plain))
        .collect();
    let mut places: BTreeMap<&[String], BTreeSet<ChunkId>> = BTreeMap::new();
    for piece in pieces {
        for words in piece.words.windows(4).filter(|words| candidates.contains(words)) {
            places.entry(words).or_default().insert(piece.id);
        }
    }
    let unique: Vec<_> = places.into_iter().filter(|(_, chunks)| chunks.len() == 1).collect();
    let chosen = spread(unique, PHRASES).into_iter().zip(AROUND.iter().cycle());
    let question = |((words, chunks), around): ((&[String], BTreeSet<ChunkId>), &&str)| {
        let quoted = format!("\"{}\"", words.join(" "));
        (around.replace("{}", &quoted), *chunks.first().unwrap(), String::new())
    };
    chosen.map(question).collect()
}

/// An identifier of two chunks, without a word that one of them has.
fn exclusions(pieces: &[Piece]) -> Vec<Question> {
    let of_two = holders(pieces).into_iter().filter(|(_, held)| held.len() == 2);
    let question = |(name, held): (&str, Vec<&Piece>)| {
        let alike = |word: &str| held[0].words.iter().any(|other| other.starts_with(&word[..4]));
        let plain = |word: &&String| word.len() > 4 && word.bytes().all(|byte| byte.is_ascii_lowercase());
        let word = held[1].words.iter().filter(plain).find(|word| !alike(word))?;
        Some((format!("{name} -{word}"), held[0].id, word.clone()))
    };
    spread(of_two.filter_map(question).collect(), EXCLUSIONS)
}

/// Titles with one mistyped word that few pages have.
fn typos(pages: &[(indexer::types::Document, Vec<Chunk>)], pieces: &[Piece]) -> Vec<(String, DocumentId)> {
    let mut holders: BTreeMap<&str, BTreeSet<DocumentId>> = BTreeMap::new();
    for piece in pieces {
        for word in &piece.words {
            holders.entry(word).or_default().insert(piece.document);
        }
    }
    let mut all = Vec::new();
    for (document, _) in pages {
        let title = words(&document.title);
        let rare = |word: &&String| {
            let plain = word.len() > 5 && word.bytes().all(|byte| byte.is_ascii_lowercase());
            plain && holders.get(word.as_str()).is_some_and(|pages| pages.len() <= 3)
        };
        let Some(word) = title.iter().filter(rare).max_by_key(|word| word.len()) else {
            continue;
        };
        let mistyped = mistype(word, all.len());
        if !holders.contains_key(mistyped.as_str()) {
            let query: Vec<&str> = title
                .iter()
                .map(|own| if own == word { &mistyped } else { own }.as_str())
                .collect();
            all.push((query.join(" "), document.id));
        }
    }
    spread(all, TYPOS)
}

/// In turn: two letters change places, one is lost, one is doubled, one is another; in a long word two things happen.
fn mistype(word: &str, turn: usize) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let middle = letters.len() / 2;
    match turn % 4 {
        0 => letters.swap(middle, middle + 1),
        1 => drop(letters.remove(middle)),
        2 => letters.insert(middle, letters[middle]),
        _ => letters[middle] = if letters[middle] == 'e' { 'r' } else { 'e' },
    }
    if word.len() >= 10 && turn.is_multiple_of(3) {
        letters.remove(2);
    }
    letters.into_iter().collect()
}
