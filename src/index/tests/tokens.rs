//! Tokens follow their chunks: kept before the commit, dropped after it, swept when nobody committed, off the disk
//! once texts are.

use super::*;

fn with_tokens(collection: &Collection, mut replacement: Replacement) -> Replacement {
    let tokens = |chunk: &Chunk| collection.sketches(&axis(chunk.ordinal as usize % DIMENSION));
    replacement.tokens = replacement.chunks.iter().map(tokens).collect();
    replacement
}

async fn published(collection: &Collection, replacement: Replacement) -> Vec<ChunkId> {
    let ids = replacement.chunks.iter().map(|chunk| chunk.id).collect();
    let replacement = with_tokens(collection, replacement);
    collection.publish(vec![replacement], Vec::new()).await.unwrap();
    ids
}

/// Which of the chunks can be compared.
fn there(collection: &Collection, chunks: &[ChunkId]) -> Vec<bool> {
    let comparison = collection.compare(&axis(0), chunks).unwrap();
    comparison.passages.iter().map(Option::is_some).collect()
}

/// Whether a file of tokens names the chunk.
fn on_disk(folder: &Path, chunk: ChunkId) -> bool {
    let folder = folder.join("tokens/sketch-256-1");
    std::fs::read_dir(folder).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(16).any(|one| one == chunk.0.as_bytes())
    })
}

#[tokio::test]
async fn tokens_go_with_their_chunks_and_come_back_after_reopening() {
    let (folder, collection) = filled(Vec::new()).await;
    assert!(!collection.has_tokens());
    let first = published(&collection, replacement("a.md", &["one", "two"], 0)).await;
    let other = published(&collection, replacement("b.md", &["three"], 1)).await;
    let all = [first[0], first[1], other[0]];
    assert_eq!(there(&collection, &all), [true, true, true]);
    let second = published(&collection, replacement("a.md", &["one", "new"], 0)).await;
    assert_eq!(second[0], first[0]);
    assert_eq!(there(&collection, &all), [true, false, true]);
    collection
        .publish(Vec::new(), vec![DocumentId::of("b.md")])
        .await
        .unwrap();
    assert_eq!(there(&collection, &all), [true, false, false]);
    drop(collection);
    let collection = open(folder.path()).await;
    assert_eq!(there(&collection, &all), [true, false, false]);
    assert_eq!(there(&collection, &second), [true, true]);
}

#[tokio::test]
async fn compaction_takes_the_tokens_of_removed_documents_off_the_disk() {
    let (folder, collection) = filled(Vec::new()).await;
    let kept = published(&collection, replacement("a.md", &["one"], 0)).await;
    let gone = published(&collection, replacement("b.md", &["two"], 1)).await;
    collection
        .publish(Vec::new(), vec![DocumentId::of("b.md")])
        .await
        .unwrap();
    assert!(on_disk(folder.path(), gone[0]));
    collection.compact().await.unwrap();
    assert!(on_disk(folder.path(), kept[0]) && !on_disk(folder.path(), gone[0]));
    assert_eq!(there(&collection, &[kept[0], gone[0]]), [true, false]);
}

#[tokio::test]
async fn tokens_of_a_commit_that_never_came_are_swept() {
    let (folder, collection) = filled(Vec::new()).await;
    let kept = published(&collection, replacement("a.md", &["one"], 0)).await;
    let lost = with_tokens(&collection, replacement("b.md", &["two"], 1));
    // As far as `publish` gets before a crash.
    collection
        .writer
        .tokens()
        .put([(lost.chunks[0].id, &lost.tokens[0][..])].into_iter())
        .unwrap();
    let both = [kept[0], lost.chunks[0].id];
    assert_eq!(there(&collection, &both), [true, true]);
    drop(collection);
    let collection = open(folder.path()).await;
    assert_eq!(there(&collection, &both), [true, false]);
    assert!(!on_disk(folder.path(), both[1]));
}

#[tokio::test]
async fn a_collection_from_before_there_were_tokens_opens_and_names_the_documents_without() {
    let (folder, collection) = filled(vec![replacement("a.md", &["one"], 0)]).await;
    drop(collection);
    std::fs::remove_dir_all(folder.path().join("tokens")).unwrap();
    let collection = open(folder.path()).await;
    assert!(!collection.has_tokens());
    assert_eq!(words(&collection, "one"), ["a.md"]);
    let mut silent = replacement("b.md", &["of the"], 1);
    silent.tokens = vec![Vec::new()];
    collection.publish(vec![silent], Vec::new()).await.unwrap();
    assert_eq!(collection.without_tokens().unwrap(), ["a.md".to_owned()].into());
    published(&collection, replacement("a.md", &["one"], 0)).await;
    assert_eq!(collection.without_tokens().unwrap(), [].into());
}

#[tokio::test]
async fn tokens_are_for_all_chunks_of_a_document_or_for_none() {
    let (_folder, collection) = filled(Vec::new()).await;
    let mut half = with_tokens(&collection, replacement("a.md", &["one", "two"], 0));
    half.tokens.pop();
    let outcome = collection.publish(vec![half], Vec::new()).await;
    assert!(matches!(outcome, Err(Error::Internal(_))), "{outcome:?}");
}
