//! Tests of the local embedder; those that need a model are skipped where none was fetched.

use super::*;

/// The model where the binary looks for it, loaded once for all tests.
fn embedder() -> Option<&'static LocalEmbedder> {
    static LOADED: std::sync::OnceLock<Option<LocalEmbedder>> = std::sync::OnceLock::new();
    let loaded = LOADED.get_or_init(|| {
        let model = LocalModel {
            folder: place("PORTOLAN_MODELS", ".portolan/models").join("all-MiniLM-L6-v2"),
            name: "all-MiniLM-L6-v2".into(),
            onnxruntime: place("ORT_DYLIB_PATH", ".portolan/lib/libonnxruntime.so"),
            threads: 2,
        };
        (model.folder.exists() && model.onnxruntime.exists()).then(|| LocalEmbedder::load(&model).unwrap())
    });
    if loaded.is_none() {
        println!("skipped: no models");
    }
    loaded.as_ref()
}

fn place(name: &str, default: &str) -> PathBuf {
    std::env::var(name).map_or_else(|_| default.into(), PathBuf::from)
}

fn cosine(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn similarities_are_those_that_the_model_publishes() {
    let Some(embedder) = embedder() else { return };
    let sentences = [
        "That is a happy person",
        "That is a very happy person",
        "That is a happy dog",
        "Today is a sunny day",
    ];
    let vectors = embedder.embed(texts(&sentences), TextKind::Passage).await.unwrap();
    assert_eq!(embedder.dimension(), 384);
    for (vector, expected) in vectors[1..].iter().zip([0.943, 0.695, 0.257]) {
        let got = cosine(&vectors[0], vector);
        assert!((got - expected).abs() < 0.01, "{got}, not {expected}");
        assert_eq!(vector.len(), 384);
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-5);
    }
}

#[tokio::test]
async fn a_vector_is_the_same_alone_in_a_batch_and_as_a_query() {
    let Some(embedder) = embedder() else { return };
    // More than one batch, of lengths in no order.
    let many: Vec<String> = (0..40)
        .map(|n| format!("passage {n} {}", "and some more words ".repeat(n * 7 % 11)))
        .collect();
    let together = embedder.embed(many.clone(), TextKind::Passage).await.unwrap();
    for place in [0, 1, 17, 39] {
        let text = vec![many[place].clone()];
        for kind in [TextKind::Passage, TextKind::Query, TextKind::Query] {
            let alone = embedder.embed(text.clone(), kind).await.unwrap();
            let apart = alone[0]
                .iter()
                .zip(&together[place])
                .map(|(left, right)| (left - right).abs());
            assert!(apart.fold(0.0, f32::max) < 1e-4, "{place} {kind:?}");
        }
    }
}

#[tokio::test]
async fn tokens_that_mean_something_have_a_vector_each_from_the_same_pass() {
    let Some(model) = embedder() else { return };
    let check = async |text: &str, expected: usize| {
        for kind in [TextKind::Passage, TextKind::Query, TextKind::Query] {
            // Beside a longer text, so that it is padded.
            let both = texts(&[text, "a much longer text of quite some more words than the other one"]);
            let embedded = model.embed_tokens(both.clone(), kind).await.unwrap();
            let tokens: Vec<&[f32]> = embedded[0].tokens.chunks(384).collect();
            assert_eq!(tokens.len(), expected, "{text}");
            for token in &tokens {
                assert!((cosine(token, token) - 1.0).abs() < 1e-4);
            }
            let vectors = model.embed(both, kind).await.unwrap();
            assert_eq!(vectors[0], embedded[0].vector);
        }
    };
    check("The harbour is in the port, at the sea.", 3).await;
    check("moorings", 2).await;
    check("to be or not to be?!", 0).await;
    check("", 0).await;
    let pair = texts(&["harbour", "port"]);
    let tokens = model.embed_tokens(pair, TextKind::Query).await.unwrap();
    let near = cosine(&tokens[0].tokens[..384], &tokens[1].tokens[..384]);
    assert!((0.3..0.99).contains(&near), "{near}");
}

#[test]
fn queries_are_answered_while_the_passages_session_is_taken() {
    let Some(embedder) = embedder() else { return };
    let (release, taken) = std::sync::mpsc::channel::<()>();
    let work = move |_: &mut Option<Session>| assert!(taken.recv().is_err());
    embedder.passages.begin(Box::new(work)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let vectors = runtime.block_on(embedder.embed(texts(&["a question of its own"]), TextKind::Query));
    drop(release);
    assert_eq!(vectors.unwrap()[0].len(), 384);
}

#[tokio::test]
async fn long_and_empty_texts_have_vectors_too() {
    let Some(embedder) = embedder() else { return };
    let long = "word ".repeat(5000);
    let cut = "word ".repeat(300);
    let vectors = embedder
        .embed(vec![long, cut, String::new()], TextKind::Passage)
        .await
        .unwrap();
    assert!(cosine(&vectors[0], &vectors[1]) > 0.9999, "both are cut at 256 tokens");
    assert_eq!(vectors[2].len(), 384);
    assert!(embedder.embed(Vec::new(), TextKind::Query).await.unwrap().is_empty());
}

#[test]
fn what_is_missing_is_named_with_its_mend() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = LocalModel {
        folder: folder.path().to_path_buf(),
        name: "none".into(),
        onnxruntime: folder.path().join("libonnxruntime.so"),
        threads: 1,
    };
    let check = |model: &LocalModel, expected: &str| {
        let detail = LocalEmbedder::load(model).unwrap_err().to_string();
        assert!(detail.contains(expected) && detail.contains("make run"), "{detail}");
    };
    check(&model, "no ONNX Runtime at");
    if embedder().is_some() {
        model.onnxruntime = place("ORT_DYLIB_PATH", ".portolan/lib/libonnxruntime.so");
        check(&model, "tokenizer.json");
    }
}
