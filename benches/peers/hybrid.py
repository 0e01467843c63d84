"""Hybrid search over the same synthetic chunks: Portolan, tantivy + faiss by hand, LanceDB, txtai, Chroma + bm25s.

Each peer builds its index in one process and searches it in another, one after the other, on the sets that
`cargo bench --bench scale -- generate` wrote. Every one is asked the same words and vectors, looks at 100 candidates of
each leg where it lets one say so, and returns the texts of the ten best. Run from the repository root:

    python3 -m venv /tmp/peers
    /tmp/peers/bin/pip install numpy==2.4.6 tantivy==0.27.0 faiss-cpu==1.15.1 lancedb==0.40.0 pyarrow==26.0.1 \\
        chromadb==1.5.9 bm25s==0.3.16
    /tmp/peers/bin/pip install txtai==9.14.0 torch==2.15.0    # 5 GB; without them the table says that txtai is missing
    for kind in clustered random; do
        cargo bench --bench scale -- generate /tmp/sets/$kind --vectors $kind
    done
    nice /tmp/peers/bin/python benches/peers/hybrid.py /tmp/sets/clustered /tmp/sets/random

CPU is that of the process, all threads; recall@10 is the vector leg's against exact search. By hand and in Chroma, HNSW
has Portolan's m and ef_construct and is searched with the smallest ef of a list that reaches the bar's recall on these
very queries; LanceDB and txtai are as they come. Ends with 1 when Portolan misses a bar.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

# One thread a library: what is measured is the work, and idle threads that spin would be counted.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
    os.environ.setdefault(name, "1")

DIMENSION, CANDIDATES, LIMIT = 384, 100, 10
M, EF_CONSTRUCT = 16, 100
EFS = (100, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
BARS = {"cpu_ms": 2.0, "ratio": 1.5, "recall": 0.97, "rss_mb": 500}


class Set:
    """A folder of `scale generate`."""

    def __init__(self, folder):
        import numpy

        self.folder = Path(folder)
        shape = json.loads((self.folder / "set.json").read_text())
        self.chunks = shape["chunks"]
        self.vectors = numpy.memmap(self.folder / "vectors.f32", "<f4", "r").reshape(-1, DIMENSION)
        self.query_vectors = numpy.fromfile(self.folder / "queries.f32", "<f4").reshape(-1, DIMENSION)
        self.query_texts = self.lines("queries.jsonl")
        self.truth = numpy.fromfile(self.folder / "truth-all.u32", "<u4").reshape(-1, LIMIT)

    def lines(self, name):
        with open(self.folder / name, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def texts(self):
        return self.lines("texts.jsonl")


def recall(found, truth):
    """Share of the true ten nearest among the first ten found."""
    right = sum(len(set(map(int, ids[:LIMIT])) & set(map(int, exact))) for ids, exact in zip(found, truth))
    return right / truth.size


def smallest_ef(data, nearest):
    """The first of `EFS` with enough recall on the queries, or the last."""
    for ef in EFS:
        reached = recall([nearest(vector, ef) for vector in data.query_vectors], data.truth)
        if reached >= BARS["recall"]:
            break
    return ef


def convex(*legs):
    """The ids of the ten best by the mean of the legs' z-scores, as Portolan fuses; a leg is [(id, score)]."""
    import numpy

    scaled = []
    for leg in legs:
        scores = numpy.array([score for _, score in leg] + [0.0] * (len(leg) < CANDIDATES), numpy.float32)
        z = (scores - scores.mean()) / max(scores.std(), 1e-6)
        scaled.append((dict(zip((chunk for chunk, _ in leg), z.tolist())), float(z.min())))
    chunks = set().union(*(leg for leg, _ in scaled))
    order = [(-sum(leg.get(chunk, lowest) for leg, lowest in scaled), chunk) for chunk in chunks]
    return [chunk for _, chunk in sorted(order)[:LIMIT]]


class ByHand:
    """What a careful engineer puts together: tantivy's BM25, faiss's HNSW, z-scores."""

    def build(self, data, folder):
        import faiss
        import tantivy

        schema = tantivy.SchemaBuilder()
        schema.add_integer_field("id", indexed=True, fast=True)
        schema.add_text_field("body", stored=True, tokenizer_name="en_stem", index_option="freq")
        (folder / "words").mkdir()
        index = tantivy.Index(schema.build(), str(folder / "words"))
        writer = index.writer(heap_size=100_000_000, num_threads=2)
        for number, text in enumerate(data.texts()):
            writer.add_document(tantivy.Document(id=number, body=text))
        writer.commit()
        writer.wait_merging_threads()
        graph = faiss.IndexHNSWFlat(DIMENSION, M, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = EF_CONSTRUCT
        faiss.omp_set_num_threads(2)
        graph.add(data.vectors)
        faiss.write_index(graph, str(folder / "graph.faiss"))

    def open(self, data, folder):
        import faiss
        import tantivy

        faiss.omp_set_num_threads(1)
        self.words = tantivy.Index.open(str(folder / "words"))
        self.searcher = self.words.searcher()
        self.graph = faiss.read_index(str(folder / "graph.faiss"))
        self.ef = smallest_ef(data, self.nearest)
        return f"ef {self.ef}"

    def nearest(self, vector, ef=None):
        self.graph.hnsw.efSearch = ef or self.ef
        scores, chunks = self.graph.search(vector[None], CANDIDATES)
        self.scores = scores[0]
        return chunks[0]

    def hybrid(self, text, vector):
        hits = self.searcher.search(self.words.parse_query(text, ["body"]), CANDIDATES, count=False).hits
        addresses = [address for _, address in hits]
        chunks = self.searcher.fast_field_values("id", addresses)
        near = self.nearest(vector).tolist()
        best = convex(list(zip(chunks, (score for score, _ in hits))), list(zip(near, self.scores.tolist())))
        where = dict(zip(chunks, addresses))
        return [self.searcher.doc(where.get(chunk) or self.address(chunk))["body"][0] for chunk in best]

    def address(self, chunk):
        import tantivy

        query = tantivy.Query.term_query(self.words.schema, "id", chunk)
        return self.searcher.search(query, 1, count=False).hits[0][1]


class LanceDB:
    """One table with IVF_HNSW_SQ over the vectors and the library's own full-text index; hybrid by its default."""

    def build(self, data, folder):
        import lancedb
        import pyarrow

        texts = data.texts()
        kind = pyarrow.list_(pyarrow.float32(), DIMENSION)
        vectors = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(data.vectors.reshape(-1)), DIMENSION)
        table = pyarrow.table({"id": range(len(texts)), "text": texts, "vector": vectors.cast(kind)})
        table = lancedb.connect(str(folder)).create_table("chunks", table)
        table.create_index("text", config=lancedb.index.FTS())
        table.create_index("vector", config=lancedb.index.HnswSq(distance_type="cosine"))

    def open(self, data, folder):
        import lancedb

        self.table = lancedb.connect(str(folder)).open_table("chunks")
        return "IVF_HNSW_SQ, as it comes"

    def nearest(self, vector):
        found = self.table.search(vector).distance_type("cosine").limit(CANDIDATES).select(["id"])
        return found.to_arrow()["id"].to_pylist()

    def hybrid(self, text, vector):
        asked = self.table.search(query_type="hybrid").vector(vector).text(text)
        return asked.limit(LIMIT).to_arrow()["text"].to_pylist()


class Txtai:
    """Its hybrid of faiss and BM25 with the texts in its database; the vectors are given."""

    def build(self, data, folder):
        from txtai import Embeddings

        texts = data.texts()
        known = dict(zip(texts, data.vectors))
        embeddings = Embeddings(self.settings(known))
        embeddings.index((number, text, None) for number, text in enumerate(texts))
        embeddings.save(str(folder / "index"))

    def settings(self, known):
        import numpy

        transform = lambda texts: numpy.array([known[text] for text in texts], numpy.float32)  # noqa: E731
        return {"method": "external", "transform": transform, "hybrid": True, "content": True}

    def open(self, data, folder):
        from txtai import Embeddings

        known = dict(zip(data.query_texts, data.query_vectors))
        self.embeddings = Embeddings()
        self.embeddings.load(str(folder / "index"), config=self.settings(known))
        return "as it comes"

    def nearest(self, vector):
        return [chunk for chunk, _ in self.embeddings.ann.search(vector[None].copy(), CANDIDATES)[0]]

    def hybrid(self, text, vector):
        return [found["text"] for found in self.embeddings.search(text, LIMIT)]


class Chroma:
    """Chroma's HNSW and documents, bm25s for the words, z-scores."""

    def build(self, data, folder):
        import bm25s
        import chromadb

        texts = data.texts()
        graph = {"space": "cosine", "max_neighbors": M, "ef_construction": EF_CONSTRUCT, "ef_search": EFS[0]}
        client = chromadb.PersistentClient(str(folder / "chroma"))
        collection = client.create_collection("chunks", configuration={"hnsw": graph})
        for start in range(0, len(texts), 5_000):
            part = slice(start, start + 5_000)
            ids = [str(number) for number in range(start, min(start + 5_000, len(texts)))]
            collection.add(ids=ids, embeddings=data.vectors[part], documents=texts[part])
        words = bm25s.BM25()
        words.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)
        words.save(str(folder / "words"))

    def open(self, data, folder):
        import bm25s
        import chromadb

        self.words = bm25s.BM25.load(str(folder / "words"), mmap=True)
        client = chromadb.PersistentClient(str(folder / "chroma"))
        self.collection = client.get_collection("chunks")
        ef = smallest_ef(data, self.set_ef)
        return f"ef {ef}"

    def set_ef(self, vector, ef):
        if getattr(self, "ef", None) != ef:
            self.collection.modify(configuration={"hnsw": {"ef_search": ef}})
            self.ef = ef
        return self.nearest(vector)

    def nearest(self, vector):
        found = self.collection.query(query_embeddings=vector[None], n_results=CANDIDATES, include=["distances"])
        self.distances = found["distances"][0]
        return [int(chunk) for chunk in found["ids"][0]]

    def hybrid(self, text, vector):
        import bm25s

        tokens = bm25s.tokenize(text, show_progress=False)
        chunks, scores = self.words.retrieve(tokens, k=CANDIDATES, show_progress=False)
        near = self.nearest(vector)
        near = [(chunk, 1.0 - distance) for chunk, distance in zip(near, self.distances)]
        best = convex(list(zip(chunks[0].tolist(), scores[0].tolist())), near)
        return self.collection.get(ids=[str(chunk) for chunk in best], include=["documents"])["documents"]


PEERS = {"tantivy + faiss by hand": ByHand, "LanceDB": LanceDB, "txtai": Txtai, "Chroma + bm25s": Chroma}


def memory():
    """Megabytes resident, and those not backed by a file."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return [int(status[name].split()[0]) // 1024 for name in ("VmRSS", "RssAnon")]


def build(peer, data, folder):
    wall, cpu = time.perf_counter(), time.process_time()
    peer.build(data, folder)
    return {"build_s": time.perf_counter() - wall, "build_cpu_s": time.process_time() - cpu}


def search(peer, data, folder):
    note = peer.open(data, folder)
    queries = list(zip(data.query_texts, data.query_vectors))
    # For the first time, with every page of the files that it reads still to be mapped, and then as it goes on.
    first = time.process_time()
    for text, vector in queries:
        peer.hybrid(text, vector)
    first = time.process_time() - first
    waits, cpu = [], time.process_time()
    for text, vector in queries:
        started = time.perf_counter()
        found = peer.hybrid(text, vector)
        waits.append(time.perf_counter() - started)
        assert len(found) == LIMIT, f"{len(found)} results"
    cpu = time.process_time() - cpu
    waits.sort()
    rss, anonymous = memory()
    return {
        "first_cpu_ms": first * 1e3 / len(queries),
        "cpu_ms": cpu * 1e3 / len(queries),
        "p50_ms": waits[len(waits) // 2] * 1e3,
        "p95_ms": waits[int(len(waits) * 0.95)] * 1e3,
        "rss_mb": rss,
        "anonymous_mb": anonymous,
        "recall": recall([peer.nearest(vector) for vector in data.query_vectors], data.truth),
        "note": note,
    }


def step(name, what, data, folder):
    """One step of a peer in a process of its own; its last line is JSON."""
    command = [sys.executable, __file__, "--step", name, what, str(data), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(([f"ended with {done.returncode}"] + done.stderr.strip().splitlines())[-1])
    return json.loads(done.stdout.splitlines()[-1])


def peer_figures(name, data, work):
    folder = work / name.replace(" ", "-")
    folder.mkdir(parents=True)
    try:
        return step(name, "build", data, folder) | step(name, "search", data, folder)
    except RuntimeError as error:
        # A peer that is not installed or that fails is a line of the table, too.
        return str(error)
    finally:
        shutil.rmtree(folder)


def portolan_figures(program, data, work):
    def run(what):
        command = [*program, what, str(data), str(work / "portolan"), "--json"]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

    built, found = run("build"), run("search")
    shutil.rmtree(work / "portolan")
    return {
        "build_s": built["publish_s"] + built["optimise_s"],
        "build_cpu_s": built["publish_cpu_s"] + built["optimise_cpu_s"],
        "first_cpu_ms": found["first"]["cpu_ms"],
        **{key: found["hybrid"][key] for key in ("cpu_ms", "p50_ms", "p95_ms")},
        **{key: found["memory"][key] for key in ("rss_mb", "anonymous_mb")},
        "recall": found["selections"]["all"]["recall"],
        "note": f"{found['per_second_of_8']['queries_per_second']:.0f} a second for 8 clients",
    }


def table(kind, figures):
    print(f"\n{kind}\n")
    print("| | CPU ms a query (its first time) | p50 ms | p95 ms | recall@10 | RSS MB (anonymous) | build s (CPU) | |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, found in figures.items():
        if isinstance(found, str):
            print(f"| {name} | not run: {found} | | | | | | |")
            continue
        print(
            f"| {name} | {found['cpu_ms']:.2f} ({found['first_cpu_ms']:.2f}) | {found['p50_ms']:.2f} | {found['p95_ms']:.2f} | {found['recall']:.3f} "
            f"| {found['rss_mb']} ({found['anonymous_mb']}) | {found['build_s']:.0f} ({found['build_cpu_s']:.0f}) "
            f"| {found['note']} |"
        )
    sys.stdout.flush()


def missed(figures):
    """The bars that Portolan does not reach, in words."""
    ours, hand = figures["Portolan"], figures.get("tantivy + faiss by hand")
    faults = []
    if ours["cpu_ms"] > BARS["cpu_ms"]:
        faults.append(f"{ours['cpu_ms']:.2f} ms CPU a query, at most {BARS['cpu_ms']}")
    if isinstance(hand, dict) and ours["cpu_ms"] > BARS["ratio"] * hand["cpu_ms"]:
        faults.append(f"{ours['cpu_ms'] / hand['cpu_ms']:.2f} times the CPU of by hand, at most {BARS['ratio']}")
    if ours["recall"] < BARS["recall"]:
        faults.append(f"recall@10 {ours['recall']:.3f}, at least {BARS['recall']}")
    if ours["rss_mb"] >= BARS["rss_mb"]:
        faults.append(f"{ours['rss_mb']} MB resident, under {BARS['rss_mb']}")
    return faults


def main():
    if sys.argv[1:2] == ["--step"]:
        name, what, data, folder = sys.argv[2:]
        print(json.dumps({"build": build, "search": search}[what](PEERS[name](), Set(data), Path(folder))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path, help="folders of `scale generate`")
    parser.add_argument("--work", type=Path, default=Path("/tmp/peers-work"), help="for the indexes; made and removed")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--scale", help="the built bench; without it cargo builds and runs it")
    arguments = parser.parse_args()
    program = [arguments.scale] if arguments.scale else "cargo bench --locked --quiet --bench scale --".split()
    faults = []
    for data in arguments.sets:
        shutil.rmtree(arguments.work, ignore_errors=True)
        arguments.work.mkdir(parents=True)
        figures = {"Portolan": portolan_figures(program, data, arguments.work)}
        for name in arguments.peers:
            figures[name] = peer_figures(name, data, arguments.work)
            print(f"{data.name}, {name}: {figures[name]}", file=sys.stderr, flush=True)
        shape = json.loads((data / "set.json").read_text())
        table(f"{shape['chunks']:,} chunks, {shape['vectors']} vectors", figures)
        faults += [f"{shape['vectors']}: {fault}" for fault in missed(figures)]
    shutil.rmtree(arguments.work, ignore_errors=True)
    for fault in faults:
        print(f"missed: {fault}", file=sys.stderr)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
