"""all-MiniLM-L6-v2 in float32 against two int8 forms: speed, steadiness of a vector, SciFact quality.

Decides which weights Portolan ships. `int8` stores int8 weights and computes in float32; `dynamic`
is made here from the float32 graph and computes in int8, with one scale for each whole tensor. Run from the repository root on an idle machine:

    scripts/models embedding int8
    python3 -m venv /tmp/peers
    /tmp/peers/bin/pip install numpy==2.4.6 onnxruntime==1.32.0 tokenizers==0.23.3 onnx==1.23.2
    tar xzf ../shared/data/scifact.tgz -C /tmp
    nice /tmp/peers/bin/python benches/peers/embedding_precision.py /tmp/scifact [speed|steady|scifact]...

Everything is mean-pooled and of unit length; SciFact documents are title and text, cut at 256 tokens.
"""

import json
import math
import shutil
import sys
import time
from pathlib import Path

import numpy
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer

MODELS = {
    "fp32": Path(".portolan/models/all-MiniLM-L6-v2"),
    "int8": Path(".portolan/models/all-MiniLM-L6-v2-int8"),
    "dynamic": Path(".portolan/models/all-MiniLM-L6-v2-dynamic"),
}
TOKENS = 256
PASSAGE_TOKENS = 126
BATCH = 16


def make_dynamic():
    """Quantise the float32 graph with ONNX Runtime's own tool, as the usual recipe does."""
    source, made = MODELS["fp32"], MODELS["dynamic"]
    if (made / "model.onnx").exists():
        return
    made.mkdir(exist_ok=True)
    shutil.copy(source / "tokenizer.json", made / "tokenizer.json")
    quantize_dynamic(
        source / "model.onnx",
        made / "model.onnx",
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
    )


class Model:
    """One set of weights with a fixed number of threads."""

    def __init__(self, name, threads):
        folder = MODELS[name]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A waiting thread that spins would be counted as work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = str(folder / "model.onnx")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(TOKENS)
        self.tokenizer.enable_padding()

    def embed(self, texts):
        """Unit vectors [len(texts), 384] of one batch."""
        encoded = self.tokenizer.encode_batch(texts)
        ids = numpy.array([item.ids for item in encoded], numpy.int64)
        mask = numpy.array([item.attention_mask for item in encoded], numpy.int64)
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
        (hidden,) = self.session.run(["last_hidden_state"], inputs)
        weight = mask[:, :, None].astype(numpy.float32)
        mean = (hidden * weight).sum(1) / weight.sum(1)
        return mean / numpy.linalg.norm(mean, axis=1, keepdims=True)

    def embed_all(self, texts):
        """Any number of texts, those of like length together, in the order given."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        vectors = numpy.zeros((len(texts), 384), numpy.float32)
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            vectors[chosen] = self.embed([texts[index] for index in chosen])
            if start % (BATCH * 64) == 0:
                print(f"  {start}/{len(texts)}", file=sys.stderr, flush=True)
        return vectors


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def documents(folder):
    return [f"{entry['title']} {entry['text']}".strip() for entry in read_lines(folder / "corpus.jsonl")]


def passages(texts, count):
    """Texts of PASSAGE_TOKENS tokens each, cut from real documents."""
    tokenizer = Tokenizer.from_file(str(MODELS["fp32"] / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    found = []
    for text in texts:
        offsets = tokenizer.encode(text).offsets
        if len(offsets) > PASSAGE_TOKENS:
            # The two special tokens count; the cut is at the end of a token.
            found.append(text[: offsets[PASSAGE_TOKENS - 2][1]])
        if len(found) == count:
            break
    return found


def speed(folder):
    """Passages of 126 tokens, batches of 16: a second of the clock and of the processor."""
    texts = passages(documents(folder), 320)
    print("| weights | threads | passages/s | passages per CPU-second |\n| --- | --- | --- | --- |")
    for threads in (1, 2):
        for name in MODELS:
            model = Model(name, threads)
            model.embed(texts[:BATCH])
            wall, cpu = time.perf_counter(), time.process_time()
            for start in range(0, len(texts), BATCH):
                model.embed(texts[start : start + BATCH])
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(f"| {name} | {threads} | {len(texts) / wall:.1f} | {len(texts) / cpu:.1f} |", flush=True)


def steady(folder):
    """A short text alone and padded among long ones: how far its vector moves."""
    texts = documents(folder)
    watched = [entry["title"] for entry in read_lines(folder / "corpus.jsonl")][:40]
    print("| weights | batch of | largest change of a component | smallest cosine |\n| --- | --- | --- | --- |")
    for name in MODELS:
        model = Model(name, 1)
        alone = numpy.concatenate([model.embed([text]) for text in watched])
        for size in (2, 8, 32):
            company = [texts[100 + index * 31 : 100 + index * 31 + size - 1] for index in range(len(watched))]
            together = numpy.stack([model.embed([text, *others])[0] for text, others in zip(watched, company)])
            change = numpy.abs(alone - together).max()
            cosine = (alone * together).sum(1).min()
            print(f"| {name} | {size} | {change:.2e} | {cosine:.6f} |", flush=True)


def scifact(folder):
    """nDCG@10 and recall@100 over the test queries, by exact search."""
    texts = documents(folder)
    names = [entry["_id"] for entry in read_lines(folder / "corpus.jsonl")]
    judged = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        judged.setdefault(query, {})[document] = int(grade)
    queries = [entry for entry in read_lines(folder / "queries.jsonl") if entry["_id"] in judged]
    print("| weights | nDCG@10 | recall@100 | CPU-seconds |\n| --- | --- | --- | --- |")
    for name in MODELS:
        cpu = time.process_time()
        model = Model(name, 1)
        vectors = model.embed_all(texts)
        # One by one, as a search embeds its query.
        asked = numpy.concatenate([model.embed([entry["text"]]) for entry in queries])
        cpu = time.process_time() - cpu
        gain, recall = 0.0, 0.0
        for entry, scores in zip(queries, asked @ vectors.T):
            best = sorted(range(len(names)), key=lambda index: (-scores[index], names[index]))[:100]
            grades = judged[entry["_id"]]
            gain += ndcg([grades.get(names[index], 0) for index in best[:10]], grades.values())
            recall += sum(names[index] in grades for index in best) / len(grades)
        print(f"| {name} | {gain / len(queries):.4f} | {recall / len(queries):.4f} | {cpu:.0f} |", flush=True)


def ndcg(found, ideal):
    def discounted(grades):
        return sum(grade / math.log2(rank + 2) for rank, grade in enumerate(grades))

    return discounted(found) / discounted(sorted(ideal, reverse=True)[:10])


def known_answer():
    """The published similarities of the model card's sentences: are these the weights at all?"""
    for name in MODELS:
        vectors = Model(name, 1).embed(
            ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
        )
        print(f"{name}: " + " ".join(f"{cosine:.3f}" for cosine in vectors[1:] @ vectors[0]))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    chosen = sys.argv[2:] or ["speed", "steady", "scifact"]
    make_dynamic()
    known_answer()
    for part in chosen:
        {"speed": speed, "steady": steady, "scifact": scifact}[part](folder)


if __name__ == "__main__":
    main()
