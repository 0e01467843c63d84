//! Removed texts leave the disk, also when several are removed at once.

use std::path::Path;

use serde_json::json;

use super::{anything, axis, everyone, filled, make, replacement};
use crate::types::{DocumentId, Metadata};

#[tokio::test]
async fn what_is_removed_in_a_row_leaves_the_disk() {
    for round in 0..8 {
        let (folder, collection) = filled(vec![replacement("keep.md", &["keep"], 0)]).await;
        let names: Vec<String> = (0..2 + round).map(|n| format!("{n}.md")).collect();
        for name in &names {
            // Long enough that each lies in a block of its own, as it is.
            let text = format!("secret {name} {}", "filler words ".repeat(500));
            let one = replacement(name, &[&text], 1);
            collection.publish(vec![one], Vec::new()).await.unwrap();
        }
        assert!(holds(&folder.path().join("lexical"), b"secret 0.md"));
        let mut compactions = Vec::new();
        for name in &names {
            collection
                .publish(Vec::new(), vec![DocumentId::of(name)])
                .await
                .unwrap();
            let collection = collection.clone();
            compactions.push(tokio::spawn(async move { collection.compact().await }));
        }
        for compaction in compactions {
            compaction.await.unwrap().unwrap();
        }
        for name in names {
            assert!(
                !holds(&folder.path().join("lexical"), format!("secret {name}").as_bytes()),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn what_was_known_of_a_removed_document_leaves_the_vectors_too() {
    let metadata: Metadata = serde_json::from_value(json!({"salary": "ninety-thousand"})).unwrap();
    let secret = make("secret.md", &["secret"], 1, (metadata, vec!["board-of-seven".into()]));
    let (folder, collection) = filled(vec![replacement("keep.md", &["keep"], 0), secret]).await;
    let segments = folder.path().join("vectors/segments");
    let words: [&[u8]; 2] = [b"ninety-thousand", b"board-of-seven"];
    assert_eq!(words.map(|word| holds(&segments, word)), [true, true]);
    let gone = DocumentId::of("secret.md");
    collection.publish(Vec::new(), vec![gone]).await.unwrap();
    collection.compact().await.unwrap();
    assert_eq!(words.map(|word| holds(&segments, word)), [false, false]);
    let left = collection.vector(axis(0), &anything(), &everyone(), 9).await.unwrap();
    assert_eq!(left.len(), 1);
}

/// Whether a file in `folder` or below has these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, bytes);
        }
        let held = std::fs::read(path).unwrap();
        held.windows(bytes.len()).any(|window| window == bytes)
    })
}
