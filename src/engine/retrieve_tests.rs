//! A search whose vectors lie in a server that goes and comes.

use futures::future::BoxFuture;

use super::*;
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
