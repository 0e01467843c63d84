//! A search whose vectors lie in a server that goes and comes.

use futures::future::BoxFuture;

use super::*;
use crate::engine::rerank::Kind;
use crate::gateway::Embedded;
use crate::index::tests::double::Double;
use crate::index::tests::{open_over, replacement};
use crate::types::{QueryInput, Reader};

/// Every text points along the first axis.
struct Constant;

impl Embedder for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn dimension(&self) -> usize {
        4
    }

    fn embed(&self, texts: Vec<String>, _: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
        Box::pin(async move { Ok(vec![vec![1.0, 0.0, 0.0, 0.0]; texts.len()]) })
    }
}

async fn sail(collection: &Arc<Collection>, mode: Mode) -> Result<Retrieved> {
    let input = QueryInput {
        text: "sail".into(),
        mode,
        ..QueryInput::default()
    };
    let query = Query::parse(input, Reader::Everything)?;
    let embedder: Arc<dyn Embedder> = Arc::new(Constant);
    let collections = std::slice::from_ref(collection);
    let tools = Tools {
        embedder: &embedder,
        reranking: &Reranking::nothing(),
        expander: None,
    };
    let found = search(collections, &tools, &query).await;
    found.map(|mut found| found.remove(0))
}

#[tokio::test]
async fn words_alone_answer_until_the_server_is_back() {
    let mut double = Double::up();
    let folder = tempfile::tempdir().unwrap();
    let batch = vec![replacement("a.md", &["red sail"], 0)];
    let collection = open_over(folder.path(), Some(double.store("docs"))).await.unwrap();
    collection.publish(batch, Vec::new()).await.unwrap();
    drop(collection);
    double.stop().await;

    let collection = open_over(folder.path(), Some(double.store("docs"))).await.unwrap();
    let found = sail(&collection, Mode::Hybrid).await.unwrap();
    assert_eq!((found.fused.len(), found.degraded), (1, vec!["vector".to_owned()]));
    assert!(sail(&collection, Mode::Vector).await.is_err());

    double.start();
    for mode in [Mode::Hybrid, Mode::Vector] {
        let found = sail(&collection, mode).await.unwrap();
        assert_eq!((found.fused.len(), found.degraded), (1, Vec::new()), "{mode:?}");
    }
}

/// Tokens of a text: an axis for each word, by its first letter.
struct Letters;

impl Letters {
    fn tokens(text: &str) -> Vec<f32> {
        let axis = |word: &str| {
            let at = usize::from(word.as_bytes()[0]) % 4;
            (0..4).map(move |other| if other == at { 1.0 } else { 0.1 })
        };
        text.split_whitespace().flat_map(axis).collect()
    }
}

impl Embedder for Letters {
    fn name(&self) -> &'static str {
        "letters"
    }

    fn dimension(&self) -> usize {
        4
    }

    fn embed(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
        Constant.embed(texts, kind)
    }

    fn embed_tokens(&self, texts: Vec<String>, _: TextKind) -> BoxFuture<'_, Result<Vec<Embedded>>> {
        let embedded = texts.iter().map(|text| Embedded {
            vector: vec![1.0, 0.0, 0.0, 0.0],
            tokens: Self::tokens(text),
        });
        let embedded = embedded.collect();
        Box::pin(async { Ok(embedded) })
    }
}

/// What late interaction makes of a hybrid search for "sail": chunk and both scores of each, and what was degraded.
async fn judged(
    collection: &Arc<Collection>,
    budget: Duration,
) -> (Vec<(ChunkId, Option<f32>, Option<f32>)>, Vec<String>) {
    let input = QueryInput {
        text: "sail aft".into(),
        ..QueryInput::default()
    };
    let query = Query::parse(input, Reader::Everything).unwrap();
    let embedder: Arc<dyn Embedder> = Arc::new(Letters);
    let tools = Tools {
        embedder: &embedder,
        reranking: &Reranking {
            kind: Kind::LateInteraction,
            weight: 0.4,
            budget,
        },
        expander: None,
    };
    let mut found = search(std::slice::from_ref(collection), &tools, &query).await.unwrap();
    let found = found.remove(0);
    let scores = found
        .fused
        .iter()
        .map(|hit| (hit.chunk, hit.scores.rerank, hit.scores.reranked));
    (scores.collect(), found.degraded)
}

#[tokio::test]
async fn a_server_reranks_as_this_process_does_and_one_that_fails_leaves_the_order() {
    let (mut double, ample) = (Double::up(), Duration::from_mins(1));
    let texts = [
        "sail aft",
        "red sail",
        "sails are blue",
        "an aft sail, a jib, a boom",
        "sail",
    ];
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut collections = Vec::new();
    for (folder, vectors) in folders.iter().zip([None, Some(double.with_tokens("docs") as _)]) {
        let collection = open_over(folder.path(), vectors).await.unwrap();
        let mut document = replacement("a.md", &texts, 0);
        document.tokens = texts.map(|text| collection.sketches(&Letters::tokens(text))).to_vec();
        collection.publish(vec![document], Vec::new()).await.unwrap();
        collections.push(collection);
    }
    let here = judged(&collections[0], ample).await;
    assert!(
        here.0.len() == 5 && here.0.iter().all(|(_, score, _)| score.is_some()),
        "{here:?}"
    );
    assert!(here.1.is_empty());
    assert_eq!(judged(&collections[1], ample).await, here);

    let plain: Vec<_> = here.0.iter().map(|(chunk, ..)| (*chunk, None, None)).collect();
    let degraded = (plain, vec!["rerank".to_owned()]);
    let late = judged(&collections[1], Duration::ZERO).await;
    assert_eq!(late, degraded, "late");
    double.refuse(Some(("/QueryBatch", tonic::Status::unavailable("busy"))));
    assert_eq!(judged(&collections[1], ample).await, degraded, "failed");
    double.refuse(None);
    assert_eq!(judged(&collections[1], ample).await, here, "back");
    double.stop().await;
    let (_, words) = judged(&collections[1], ample).await;
    assert_eq!(words, ["vector", "rerank"]);
}
