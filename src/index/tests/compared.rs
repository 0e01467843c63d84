//! Tokens that a Qdrant server keeps: it counts what is counted here, and they go and come with their chunks.

use ::qdrant_client::qdrant::Datatype;
use ::qdrant_client::qdrant::vectors_config::Config;

use super::contract::{contract, id, named_with_tokens, point};
use super::double::Double;
use super::*;
use crate::index::vectors::VectorStore;

/// Tokens that look random and are the same every time (`SplitMix64`).
fn tokens(seed: u64, count: usize) -> Vec<Sketch> {
    let mut state = seed;
    let mut word = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (0..count).map(|_| std::array::from_fn(|_| word())).collect()
}

/// The definition.
fn counted(question: &[Sketch], passage: &[Sketch]) -> Vec<u32> {
    let differing = |left: &Sketch, right: &Sketch| left.iter().zip(right).map(|(a, b)| (a ^ b).count_ones()).sum();
    let nearest = |asked: &Sketch| passage.iter().map(|token| differing(asked, token)).min().unwrap();
    question.iter().map(nearest).collect()
}

/// The promises of a store that keeps tokens; it is empty before and after.
async fn compares(store: &dyn VectorStore) {
    assert!(store.keeps_tokens());
    let question = tokens(1, 9);
    let nothing = store.differences(question.clone(), vec![id(1)]).await.unwrap();
    assert_eq!(nothing, [None], "an empty store");
    let passages: Vec<Vec<Sketch>> = (1..=60).map(|n| tokens(n * 100, n as usize * 2)).collect();
    let points = passages.iter().zip(1..).map(|(passage, number)| Point {
        tokens: passage.clone(),
        ..point(number, 0, "a", &["hr"])
    });
    let silent = point(61, 0, "a", &[]);
    store.upsert(points.chain([silent]).collect()).await.unwrap();
    store.flush().await.unwrap();
    // In the order that was asked for; one without tokens, one that is not there.
    let asked: Vec<u128> = (1..=62).rev().collect();
    let mut expected: Vec<Option<Vec<u32>>> = vec![None, None];
    expected.extend(passages.iter().rev().map(|passage| Some(counted(&question, passage))));
    let chunks: Vec<ChunkId> = asked.iter().copied().map(id).collect();
    let found = store.differences(question.clone(), chunks.clone()).await.unwrap();
    assert_eq!(found, expected);
    assert_eq!(
        store.differences(Vec::new(), vec![id(1)]).await.unwrap(),
        [None],
        "no question"
    );
    assert_eq!(store.differences(question.clone(), Vec::new()).await.unwrap(), []);
    // A token that is there is at no distance.
    let own = store.differences(passages[1].clone(), vec![id(2)]).await.unwrap();
    assert_eq!(own, [Some(vec![0; 4])]);
    // What came late is added, what is removed is gone.
    let late = Point {
        tokens: tokens(5, 3),
        ..point(61, 0, "a", &[])
    };
    store.upsert(vec![late]).await.unwrap();
    store.remove(vec![id(1)]).await.unwrap();
    let found = store.differences(question.clone(), vec![id(61), id(1)]).await.unwrap();
    assert_eq!(found, [Some(counted(&question, &tokens(5, 3))), None]);
    store.remove(chunks).await.unwrap();
    assert!(store.ids().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_with_tokens_keeps_both_contracts() {
    let double = Double::up();
    let store = double.with_tokens("docs");
    contract(&*store).await;
    compares(&*store).await;
    let Config::ParamsMap(kept) = double.kept("docs") else {
        panic!("one vector a point");
    };
    let tokens = &kept.map["tokens"];
    assert_eq!(tokens.datatype(), Datatype::Uint8);
    assert_eq!(tokens.hnsw_config.and_then(|graph| graph.m), Some(0));
    #[expect(deprecated, reason = "older servers know nothing else")]
    let on_disk = tokens.on_disk;
    assert_eq!(on_disk, Some(true));
}

#[tokio::test]
#[allow(clippy::print_stderr, reason = "a test that did not run says so")]
async fn a_qdrant_server_with_tokens_keeps_both_contracts() {
    let Some(store) = named_with_tokens("portolan-contract-tokens") else {
        eprintln!("skipped: no QDRANT_URL");
        return;
    };
    contract(&*store).await;
    compares(&*store).await;
}

/// A document whose chunks have tokens, vectors and known texts.
fn whole(uri: &str, texts: &[&str], seed: u64) -> Replacement {
    let mut whole = replacement(uri, texts, 0);
    whole.tokens = (0..texts.len() as u64).map(|at| tokens(seed + at, 5)).collect();
    whole.texts = texts.iter().map(|text| indexer::fingerprint::text(text)).collect();
    whole
}

fn chunks(replacement: &Replacement) -> Vec<ChunkId> {
    replacement.chunks.iter().map(|chunk| chunk.id).collect()
}

/// What the server counts of each chunk for a question of three tokens, beside what is counted here.
async fn both(collection: &Collection, asked: &[ChunkId]) -> (Vec<Option<Vec<u32>>>, Vec<Option<Vec<u32>>>) {
    let question: Vec<f32> = [axis(0), axis(1), axis(2)].concat();
    let there = collection.differences(&question, asked).await.unwrap();
    let here = collection.compare(&question, asked).unwrap();
    let counted = here.passages.into_iter().map(|one| Some(counted(&here.query, &one?)));
    (there, counted.collect())
}

#[tokio::test]
async fn the_tokens_of_a_server_follow_their_chunks() {
    let double = Double::up();
    let (first, other) = (whole("a.md", &["one", "two"], 10), whole("b.md", &["three"], 20));
    let second = whole("a.md", &["one", "new"], 10);
    let all = [chunks(&first), chunks(&other), chunks(&second)[1..].to_vec()].concat();
    let batch = vec![first, other];
    let (folder, collection) = filled_over(Some(double.with_tokens("docs")), batch).await;
    let known = |there: &[Option<Vec<u32>>]| there.iter().map(Option::is_some).collect::<Vec<_>>();
    let (there, here) = both(&collection, &all).await;
    assert_eq!((known(&there), &there), (vec![true, true, true, false], &here));
    collection.publish(vec![second], Vec::new()).await.unwrap();
    let (there, here) = both(&collection, &all).await;
    assert_eq!((known(&there), &there), (vec![true, false, true, true], &here));
    let gone = vec![DocumentId::of("b.md")];
    collection.publish(Vec::new(), gone).await.unwrap();
    // A crash between the server's write and the commit.
    let orphan = Point {
        tokens: tokens(3, 2),
        ..point(77, 0, "a", &[])
    };
    collection.vectors.upsert(vec![orphan]).await.unwrap();
    drop(collection);
    let collection = open_over(folder.path(), Some(double.with_tokens("docs")))
        .await
        .unwrap();
    let all = [&all[..], &[id(77)]].concat();
    let (there, here) = both(&collection, &all).await;
    assert_eq!((known(&there), &there), (vec![true, false, false, true, false], &here));
}

#[tokio::test]
async fn another_server_is_filled_with_what_is_kept_here() {
    let (old, new) = (Double::up(), Double::up());
    let half = replacement("c.md", &["of an older version"], 2);
    let (red, blue) = (whole("a.md", &["red sail"], 1), whole("b.md", &["blue sail"], 2));
    let all = [chunks(&red), chunks(&blue), chunks(&half)].concat();
    let batch = vec![red, blue, half];
    let (folder, collection) = filled_over(Some(old.store("docs")), batch).await;
    assert!(!collection.compares_elsewhere());
    drop(collection);
    let collection = open_over(folder.path(), Some(new.with_tokens("docs"))).await.unwrap();
    assert!(near(&collection, 0).await.is_empty());
    {
        // A job that is stopped goes no further.
        let filling = std::pin::pin!(collection.send_again());
        assert!(futures::poll!(filling).is_pending());
    }
    collection.send_again().await;
    assert_eq!(near(&collection, 0).await.len(), 2);
    let (there, here) = both(&collection, &all).await;
    assert_eq!(there, here);
    assert!(there[0].is_some() && there[1].is_some() && there[2].is_none());
    // What was not kept is to be indexed again.
    let kept: Vec<_> = collection.fingerprints().await.unwrap().into_keys().collect();
    assert_eq!(kept, ["a.md", "b.md"]);
}

#[tokio::test]
async fn lost_vectors_wait_for_a_server_that_is_down() {
    let (mut double, mut new) = (Double::up(), Double::down());
    let (folder, collection) = filled_over(Some(double.store("docs")), vec![whole("a.md", &["red sail"], 1)]).await;
    drop(collection);
    double.stop().await;
    let collection = open_over(folder.path(), Some(new.with_tokens("docs"))).await.unwrap();
    collection.send_again().await;
    new.start();
    assert!(collection.fingerprints().await.unwrap().is_empty());
    new.refuse(Some(("/Upsert", tonic::Status::resource_exhausted("the disk is full"))));
    collection.send_again().await;
    assert!(collection.fingerprints().await.unwrap().is_empty());
    new.refuse(None);
    collection.send_again().await;
    assert_eq!(collection.fingerprints().await.unwrap().len(), 1);
    assert_eq!(near(&collection, 0).await.len(), 1);
}

#[tokio::test]
async fn a_server_that_keeps_no_tokens_is_not_taken_for_one_that_does() {
    let double = Double::up();
    let plain = vec![point(1, 0, "a", &[])];
    double.store("docs").upsert(plain.clone()).await.unwrap();
    let error = double.with_tokens("docs").ids().await.unwrap_err().to_string();
    assert!(error.contains("vectors of 4 numbers and tokens"), "{error}");
    double.with_tokens("other").upsert(plain).await.unwrap();
    let error = double.store("other").ids().await.unwrap_err().to_string();
    assert!(error.contains("vectors of 4 numbers; delete"), "{error}");
}
