//! Removed texts leave the disk, also when several are removed at once.

use std::path::Path;

use super::{filled, replacement};
use crate::types::DocumentId;

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
        assert!(holds(folder.path(), b"secret 0.md"));
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
            assert!(!holds(folder.path(), format!("secret {name}").as_bytes()), "{name}");
        }
    }
}

/// Whether a file of tantivy has these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder.join("lexical")).unwrap().any(|entry| {
        let held = std::fs::read(entry.unwrap().path()).unwrap();
        held.windows(bytes.len()).any(|window| window == bytes)
    })
}
