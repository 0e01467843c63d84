//! What the short forms propose, through the store.

use uuid::Uuid;

use super::*;

const DIMENSION: usize = 80;

fn point(number: u16, group: u16) -> Point {
    // The nearer the numbers, the nearer the vectors.
    let bump = |at: u16| (-(f32::from(at) - f32::from(number + 8)).powi(2) / 8.0).exp();
    Point {
        chunk: ChunkId(Uuid::from_u128(number.into())),
        vector: (0..DIMENSION as u16).map(bump).collect(),
        metadata: serde_json::from_value(json!({"group": group})).unwrap(),
        principals: if number == 3 { vec!["board".into()] } else { Vec::new() },
        tokens: Vec::new(),
    }
}

async fn near(store: &EdgeStore, number: u16, filter: &Filter, k: usize) -> Vec<u128> {
    let reader = Reader::Principals(Vec::new());
    let hits = store.search(point(number, 0).vector, filter, &reader, k).await.unwrap();
    hits.into_iter().map(|hit| hit.chunk.0.as_u128()).collect()
}

#[tokio::test]
async fn what_short_forms_propose_is_what_the_engine_holds_and_admits() {
    let folder = tempfile::tempdir().unwrap();
    let kept = json!({"beam": "bits", "points": settings::EXACT_BELOW});
    std::fs::write(folder.path().join("beam.json"), kept.to_string()).unwrap();
    let store = EdgeStore::open(folder.path(), DIMENSION).await.unwrap();
    store.upsert((0..50).map(|n| point(n, n % 2)).collect()).await.unwrap();
    store.flush().await.unwrap();
    drop(store);
    let store = EdgeStore::open(folder.path(), DIMENSION).await.unwrap();
    // As if there were many.
    store.inner.points.store(settings::EXACT_BELOW, Ordering::Relaxed);
    let all = Filter::default();
    assert_eq!(
        store.inner.proposed(&point(2, 0).vector, 3).map(|near| near.len()),
        Some(3)
    );
    assert_eq!(near(&store, 2, &all, 2).await, [2, 1], "the third is the board's");
    let even = Filter::In("group".into(), vec![0.into()]);
    assert_eq!(near(&store, 20, &even, 1).await, [20]);
    assert_eq!(near(&store, 20, &even, 40).await.len(), 25, "more than were proposed");
    store.remove(vec![point(1, 0).chunk]).await.unwrap();
    store.inner.points.store(settings::EXACT_BELOW, Ordering::Relaxed);
    assert!(!near(&store, 2, &all, 40).await.contains(&1));
    store.upsert(vec![point(60, 1)]).await.unwrap();
    store.inner.points.store(settings::EXACT_BELOW, Ordering::Relaxed);
    assert_eq!(near(&store, 61, &all, 1).await, [60]);
}
