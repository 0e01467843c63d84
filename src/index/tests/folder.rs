//! Tests of a collection's folder from which something is missing.

use super::*;

async fn refused(folder: &Path, words: &str) {
    let Err(error) = open_over(folder, None).await else {
        panic!("a folder without its `{words}` was opened");
    };
    let message = error.to_string();
    assert!(
        message.contains(words) && message.contains("portolan index PATH"),
        "{message}"
    );
}

#[tokio::test]
async fn a_collection_that_is_not_whole_is_refused_and_not_touched() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("docs");
    let collection = open(&folder).await;
    collection
        .publish(vec![replacement("a.md", &["one"], 0)], vec![])
        .await
        .unwrap();
    drop(collection);
    for (file, words) in [
        ("identity.json", "`identity.json` is missing"),
        ("lexical/meta.json", "`lexical/meta.json`"),
    ] {
        let bytes = std::fs::read(folder.join(file)).unwrap();
        std::fs::remove_file(folder.join(file)).unwrap();
        refused(&folder, words).await;
        assert!(!folder.join(file).exists());
        std::fs::write(folder.join(file), b"{").unwrap();
        refused(&folder, if file == "identity.json" { file } else { "does not open" }).await;
        std::fs::write(folder.join(file), bytes).unwrap();
    }
    let identity = std::fs::read(folder.join("identity.json")).unwrap();
    let meta = std::fs::read(folder.join("lexical/meta.json")).unwrap();
    std::fs::remove_file(folder.join("identity.json")).unwrap();
    std::fs::remove_file(folder.join("lexical/meta.json")).unwrap();
    refused(&folder, "`lexical/meta.json`").await;
    std::fs::write(folder.join("identity.json"), identity).unwrap();
    std::fs::write(folder.join("lexical/meta.json"), meta).unwrap();
    assert_eq!(open(&folder).await.statistics().documents, 1);
}

#[tokio::test]
async fn what_a_crash_left_of_an_empty_collection_is_made_again() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("docs");
    drop(open(&folder).await);
    std::fs::remove_file(folder.join("identity.json")).unwrap();
    std::fs::remove_dir_all(folder.join("vectors")).unwrap();
    drop(open(&folder).await);
    std::fs::create_dir(home.path().join("fresh")).unwrap();
    open(&home.path().join("fresh")).await;
}
