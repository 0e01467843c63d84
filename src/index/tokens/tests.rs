//! From full to short, with every crash on the way, and what a comparison sees.

use tempfile::TempDir;
use uuid::Uuid;

use super::*;

/// No multiple of 32, so that the groups are filled.
const DIMENSION: usize = 40;

fn id(n: usize) -> ChunkId {
    ChunkId(Uuid::from_u128(n as u128))
}

/// A token of length 1, the same for the same number.
fn token(n: usize) -> Vec<f32> {
    // Steps that share no factor with the rest look like chance. Few directions, as in the tokens of a model.
    let raw: Vec<f32> = (0..DIMENSION)
        .map(|at| {
            if at < 24 {
                ((n * 7919 + at * at * 104_729) % 1_009) as f32 / 504.5 - 1.0
            } else {
                0.0
            }
        })
        .collect();
    let length = raw.iter().map(|value| value * value).sum::<f32>().sqrt();
    raw.into_iter().map(|value| value / length).collect()
}

fn chunk(n: usize) -> (ChunkId, Vec<f32>) {
    (id(n), [token(n), token(n + 1_000)].concat())
}

fn open(folder: &TempDir) -> TokenStore {
    TokenStore::open(folder.path(), "test", DIMENSION).unwrap()
}

fn filled(count: usize) -> (TempDir, TokenStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for start in (0..count).step_by(100) {
        let chunks: Vec<_> = (start..count.min(start + 100)).map(chunk).collect();
        store.put(&chunks).unwrap();
    }
    (folder, store)
}

fn product(left: &[u8], right: &[u8]) -> f32 {
    let each = left
        .iter()
        .zip(right)
        .map(|(a, b)| i32::from(*a as i8) * i32::from(*b as i8));
    each.sum::<i32>() as f32 / (127.0 * 127.0)
}

/// Whether products with the stored tokens of `numbers` are those of the tokens themselves.
fn check_products(store: &TokenStore, numbers: &[usize], width: usize) {
    let ids: Vec<ChunkId> = numbers.iter().map(|n| id(*n)).collect();
    let comparison = store.compare(&token(5), &ids).unwrap();
    assert_eq!((comparison.width, comparison.query.len()), (width, width));
    for (n, stored) in numbers.iter().zip(comparison.passages) {
        let stored = stored.unwrap();
        assert_eq!(stored.len(), 2 * width);
        let exact: f32 = token(*n).iter().zip(token(5)).map(|(a, b)| a * b).sum();
        let got = product(&stored[..width], &comparison.query);
        assert!((got - exact).abs() < 0.02, "chunk {n}: {got}, not {exact}");
    }
}

#[test]
fn the_first_chunks_are_compared_at_full_width() {
    let (folder, store) = filled(ENOUGH - 1);
    check_products(&store, &[0, 5, 254], 64);
    drop(store);
    check_products(&open(&folder), &[0, 5, 254], 64);
}

#[test]
fn enough_chunks_are_kept_short_and_compared_as_before() {
    let (folder, store) = filled(ENOUGH + 150);
    check_products(&store, &[0, 5, 255, 405], 32);
    assert_eq!(store.len(), ENOUGH + 150);
    assert!(!folder.path().join(FULL).exists());
    drop(store);
    let store = open(&folder);
    check_products(&store, &[0, 5, 255, 405], 32);
    store.put(&[chunk(700)]).unwrap();
    check_products(&store, &[700], 32);
}

#[test]
fn a_first_batch_that_is_large_enough_is_short_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.put(&(0..ENOUGH).map(chunk).collect::<Vec<_>>()).unwrap();
    check_products(&store, &[0, 5, 255], 32);
}

#[test]
fn a_crash_before_the_switch_leaves_the_full_ones_and_after_it_the_short_ones() {
    let (folder, store) = filled(ENOUGH - 1);
    let (full, short) = (folder.path().join(FULL), folder.path().join(SHORT));
    // Half of the short ones were written.
    Segments::open(&short).unwrap().put(&[(id(0), vec![0; 64])]).unwrap();
    drop(store);
    let store = open(&folder);
    assert!(!short.exists());
    check_products(&store, &[0, 5, 254], 64);
    store.put(&(300..310).map(chunk).collect::<Vec<_>>()).unwrap();
    drop(store);
    // The switch was made and the full ones were not removed.
    Segments::open(&full).unwrap().put(&[(id(1), vec![0; 128])]).unwrap();
    let store = open(&folder);
    assert!(!full.exists());
    check_products(&store, &[0, 1, 5, 254, 305], 32);
}

#[test]
fn a_projection_for_other_vectors_or_a_broken_one_counts_for_nothing() {
    let (folder, store) = filled(ENOUGH);
    drop(store);
    assert_eq!(TokenStore::open(folder.path(), "other", DIMENSION).unwrap().len(), 0);
    let (folder, store) = filled(ENOUGH);
    drop(store);
    std::fs::write(folder.path().join(PROJECTION), "{").unwrap();
    let store = open(&folder);
    assert_eq!(store.len(), 0);
    store.put(&(0..ENOUGH).map(chunk).collect::<Vec<_>>()).unwrap();
    check_products(&store, &[0, 5], 32);
}

#[test]
fn chunks_without_tokens_are_not_there_and_stale_ones_go() {
    let (folder, store) = filled(10);
    store.put(&[(id(50), Vec::new())]).unwrap();
    store.forget(&[id(3)]).unwrap();
    let passages = store.compare(&token(5), &[id(50), id(3), id(4)]).unwrap().passages;
    let there: Vec<bool> = passages.iter().map(Option::is_some).collect();
    assert_eq!(there, [false, false, true]);
    drop(store);
    // The next opening sees the chunk again, and that the index has it no more.
    let store = open(&folder);
    store.retain(&[id(4), id(5)].into()).unwrap();
    assert_eq!(store.len(), 2);
    let folder = folder.path().join(FULL);
    assert_eq!(Segments::open(&folder).unwrap().ids(), [id(4), id(5)], "compacted");
}

#[test]
fn a_chunk_that_is_known_is_not_written_again() {
    let (folder, store) = filled(3);
    let size = || {
        std::fs::metadata(folder.path().join(FULL).join("000001.data"))
            .unwrap()
            .len()
    };
    let before = size();
    store.put(&(0..3).map(chunk).collect::<Vec<_>>()).unwrap();
    assert_eq!(size(), before);
}
