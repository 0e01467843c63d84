//! A cross-encoder of three nodes, written here as bytes: its score is the number of tokens that are `port`.
//!
//! The seam is what is tested: files, batches, order. How well a real model judges is not; none comes with this project.

use std::path::{Path, PathBuf};

use super::*;

/// One field of a protocol buffer that holds bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 128 {
        bytes.push((length % 128) as u8 | 128);
        length /= 128;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(content);
    bytes
}

/// One field that holds a small number.
fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

/// `ValueInfoProto` of a tensor of that element type with named dimensions.
fn tensor(name: &str, element: u8, dimensions: [&str; 2]) -> Vec<u8> {
    let dimensions = dimensions.map(|name| field(1, &field(2, name.as_bytes()))).concat();
    let shape = field(2, &dimensions);
    let kind = field(1, &[number(1, element), shape].concat());
    [field(1, name.as_bytes()), field(2, &kind)].concat()
}

/// `NodeProto`; the attributes are ready made.
fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| field(1, input.as_bytes())).collect();
    node.extend(field(2, output.as_bytes()));
    node.extend(field(4, operator.as_bytes()));
    node.extend(attributes.iter().flat_map(|attribute| field(5, attribute)));
    node
}

/// `input_ids` == 2 -> float -> sum over the tokens -> logits.
fn model() -> Vec<u8> {
    const FLOAT: u8 = 1;
    const INT64: u8 = 7;
    let attribute =
        |name: &str, kind: u8, value: Vec<u8>| [field(1, name.as_bytes()), value, vec![0xa0, 0x01, kind]].concat();
    let port = [
        number(1, 1),
        number(2, INT64),
        field(8, b"port"),
        field(9, &2_i64.to_le_bytes()),
    ]
    .concat();
    let graph = [
        field(1, &node("Equal", &["input_ids", "port"], "same", &[])),
        field(
            1,
            &node("Cast", &["same"], "ones", &[attribute("to", 2, number(3, FLOAT))]),
        ),
        field(
            1,
            &node("ReduceSum", &["ones"], "logits", &[attribute("axes", 7, number(8, 1))]),
        ),
        field(2, b"stub"),
        field(5, &port),
        field(11, &tensor("input_ids", INT64, ["batch", "tokens"])),
        field(11, &tensor("attention_mask", INT64, ["batch", "tokens"])),
        field(12, &tensor("logits", FLOAT, ["batch", "one"])),
    ];
    let opset = field(8, &number(2, 12));
    [number(1, 7), opset, field(7, &graph.concat())].concat()
}

fn write(folder: &Path) {
    let tokenizer = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
        "pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
        "model":{"type":"WordLevel","unk_token":"[UNK]","vocab":{"[UNK]":0,"[PAD]":1,"port":2}}}"#;
    let files = [
        ("tokenizer.json", tokenizer),
        ("config.json", r#"{"pad_token_id":1}"#),
        ("special_tokens_map.json", "{}"),
        (
            "tokenizer_config.json",
            r#"{"model_max_length":512,"pad_token":"[PAD]"}"#,
        ),
    ];
    for (name, content) in files {
        std::fs::write(folder.join(name), content).unwrap();
    }
    std::fs::write(folder.join("model.onnx"), model()).unwrap();
}

/// The model in `folder`; none where there is no ONNX Runtime.
fn local(folder: &Path, name: &str) -> Option<LocalModel> {
    let runtime =
        std::env::var("ORT_DYLIB_PATH").map_or_else(|_| ".portolan/lib/libonnxruntime.so".into(), PathBuf::from);
    if !runtime.exists() {
        println!("skipped: no ONNX Runtime");
        return None;
    }
    Some(LocalModel {
        folder: folder.to_owned(),
        name: name.to_owned(),
        onnxruntime: runtime,
        threads: 1,
    })
}

#[tokio::test]
async fn every_text_has_its_own_score_in_order_across_batches() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let Some(model) = local(folder.path(), "stub") else {
        return;
    };
    let encoder = CrossEncoder::load(&model).unwrap();
    let ports = |n: usize| format!("{} sea", "port ".repeat(n * 7 % 11));
    let texts: Vec<String> = (0..20).map(ports).collect();
    let scores = encoder.scores("port of call".into(), texts).await.unwrap();
    let expected: Vec<f32> = (0..20).map(|n: usize| 1.0 + (n * 7 % 11) as f32).collect();
    assert_eq!(scores, expected);
    assert!(encoder.scores("port".into(), Vec::new()).await.unwrap().is_empty());
}

#[test]
fn what_is_missing_is_named_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let Some(model) = local(&folder.path().join("none"), "no-such-model") else {
        return;
    };
    let check = |model: &LocalModel, expected: &[&str]| {
        let detail = CrossEncoder::load(model).err().unwrap().to_string();
        assert!(expected.iter().all(|part| detail.contains(part)), "{detail}");
    };
    check(&model, &["rerank.model", "no folder", "`BAAI/bge-reranker-base`"]);
    let empty = local(folder.path(), "empty").unwrap();
    check(&empty, &["tokenizer.json"]);
    write(folder.path());
    std::fs::write(folder.path().join("model.onnx"), "no model").unwrap();
    check(&empty, &["rerank.model", "does not load"]);
}
