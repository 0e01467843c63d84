//! Tokens follow their chunks: kept before the commit, dropped after it, swept when nobody committed.

use super::*;

fn tokens(replacement: &Replacement) -> Vec<(ChunkId, Vec<f32>)> {
    let tokens = |chunk: &Chunk| (chunk.id, axis(chunk.ordinal as usize % DIMENSION));
    replacement.chunks.iter().map(tokens).collect()
}

async fn published(collection: &Collection, replacement: Replacement) -> Vec<ChunkId> {
    let ids = replacement.chunks.iter().map(|chunk| chunk.id).collect();
    collection.keep_tokens(tokens(&replacement)).await.unwrap();
    collection.publish(vec![replacement], Vec::new()).await.unwrap();
    ids
}

/// Which of the chunks can be compared.
fn there(collection: &Collection, chunks: &[ChunkId]) -> Vec<bool> {
    let comparison = collection.compare(&axis(0), chunks).unwrap();
    comparison.passages.iter().map(Option::is_some).collect()
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
async fn tokens_of_a_commit_that_never_came_are_swept() {
    let (folder, collection) = filled(Vec::new()).await;
    let kept = published(&collection, replacement("a.md", &["one"], 0)).await;
    let lost = replacement("b.md", &["two"], 1);
    collection.keep_tokens(tokens(&lost)).await.unwrap();
    let both = [kept[0], lost.chunks[0].id];
    assert_eq!(there(&collection, &both), [true, true]);
    drop(collection);
    let collection = open(folder.path()).await;
    assert_eq!(there(&collection, &both), [true, false]);
}

#[tokio::test]
async fn a_collection_from_before_there_were_tokens_opens_and_has_none() {
    let (folder, collection) = filled(vec![replacement("a.md", &["one"], 0)]).await;
    drop(collection);
    std::fs::remove_dir_all(folder.path().join("tokens")).unwrap();
    let collection = open(folder.path()).await;
    assert!(!collection.has_tokens());
    assert_eq!(words(&collection, "one"), ["a.md"]);
}
