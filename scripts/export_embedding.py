"""Write a BERT encoder (all-MiniLM-L6-v2) as an ONNX graph in float32, from its safetensors.

Needs onnx and numpy, no deep-learning framework. The bytes are the same on every run with the
pinned packages, so scripts/models.lock pins the result. The graph takes `input_ids`,
`attention_mask` and `token_type_ids` ([batch, sequence], int64) and gives `last_hidden_state`
([batch, sequence, hidden]); pooling and length are the caller's.

    export_embedding.py MODEL.safetensors CONFIG.json OUT.onnx
"""

import json
import struct
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20  # the first with Gelu
IR_VERSION = 9
MASKED = -10000.0  # what BERT adds to the score of a padded token before the softmax


def read_safetensors(path):
    """The float32 tensors of a safetensors file, by name without the `bert.` prefix."""
    with open(path, "rb") as file:
        (header_length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(header_length))
        body = file.read()
    tensors = {}
    for name, entry in header.items():
        # Position ids are integers and follow from the shape; the encoder itself is float32.
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        start, end = entry["data_offsets"]
        values = numpy.frombuffer(body[start:end], numpy.float32)
        tensors[name.removeprefix("bert.")] = values.reshape(entry["shape"])
    return tensors


class Graph:
    """Nodes and constants in the order in which they are added."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes = []
        self.constants = {}

    def constant(self, name, value):
        self.constants[name] = numpy_helper.from_array(numpy.ascontiguousarray(value), name)
        return name

    def integers(self, name, values):
        return self.constant(name, numpy.array(values, numpy.int64))

    def apply(self, operator, inputs, output=None, **attributes):
        output = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def linear(self, value, prefix):
        weight = self.constant(f"{prefix}.weight", self.weights[f"{prefix}.weight"].T)
        bias = self.constant(f"{prefix}.bias", self.weights[f"{prefix}.bias"])
        return self.apply("Add", [self.apply("MatMul", [value, weight]), bias])

    def layer_norm(self, value, prefix, epsilon):
        weight = self.constant(f"{prefix}.weight", self.weights[f"{prefix}.weight"])
        bias = self.constant(f"{prefix}.bias", self.weights[f"{prefix}.bias"])
        return self.apply("LayerNormalization", [value, weight, bias], axis=-1, epsilon=epsilon)


def embeddings(graph, config):
    """Word, position and token-type embeddings, added and normalised."""
    table = {
        kind: graph.constant(kind, graph.weights[f"embeddings.{kind}_embeddings.weight"])
        for kind in ("word", "position", "token_type")
    }
    words = graph.apply("Gather", [table["word"], "input_ids"])
    types = graph.apply("Gather", [table["token_type"], "token_type_ids"])
    length = graph.apply("Shape", ["input_ids"], start=1, end=2)
    zero = graph.integers("zero", [0])
    positions = graph.apply("Slice", [table["position"], zero, length, zero])
    total = graph.apply("Add", [graph.apply("Add", [words, types]), positions])
    return graph.layer_norm(total, "embeddings.LayerNorm", config["layer_norm_eps"])


def attention_bias(graph):
    """0 for a token, MASKED for padding, shaped to be added to [batch, head, query, key]."""
    mask = graph.apply("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    mask = graph.apply("Unsqueeze", [mask, graph.integers("head_and_query_axes", [1, 2])])
    one = graph.constant("one", numpy.float32(1))
    padding = graph.apply("Sub", [one, mask])
    return graph.apply("Mul", [padding, graph.constant("masked", numpy.float32(MASKED))])


def attention(graph, value, bias, prefix, config):
    """Multi-head self-attention before its output projection."""
    heads = config["num_attention_heads"]
    width = config["hidden_size"] // heads
    split = graph.integers("split_heads", [0, 0, heads, width])
    order = {"query": [0, 2, 1, 3], "key": [0, 2, 3, 1], "value": [0, 2, 1, 3]}
    parts = {}
    for part, permutation in order.items():
        projected = graph.linear(value, f"{prefix}.attention.self.{part}")
        by_head = graph.apply("Reshape", [projected, split])
        parts[part] = graph.apply("Transpose", [by_head], perm=permutation)
    scores = graph.apply("MatMul", [parts["query"], parts["key"]])
    scale = graph.constant("scale", numpy.float32(width**-0.5))
    scores = graph.apply("Add", [graph.apply("Mul", [scores, scale]), bias])
    weights = graph.apply("Softmax", [scores], axis=-1)
    mixed = graph.apply("Transpose", [graph.apply("MatMul", [weights, parts["value"]])], perm=[0, 2, 1, 3])
    return graph.apply("Reshape", [mixed, graph.integers("join_heads", [0, 0, heads * width])])


def layer(graph, value, bias, prefix, config):
    """One encoder layer: attention and feed-forward, each with a residual and a norm."""
    epsilon = config["layer_norm_eps"]
    attended = attention(graph, value, bias, prefix, config)
    attended = graph.linear(attended, f"{prefix}.attention.output.dense")
    value = graph.apply("Add", [attended, value])
    value = graph.layer_norm(value, f"{prefix}.attention.output.LayerNorm", epsilon)
    wide = graph.apply("Gelu", [graph.linear(value, f"{prefix}.intermediate.dense")])
    narrow = graph.linear(wide, f"{prefix}.output.dense")
    return graph.layer_norm(graph.apply("Add", [narrow, value]), f"{prefix}.output.LayerNorm", epsilon)


def encoder(weights, config):
    """The whole model."""
    graph = Graph(weights)
    bias = attention_bias(graph)
    value = embeddings(graph, config)
    for index in range(config["num_hidden_layers"]):
        value = layer(graph, value, bias, f"encoder.layer.{index}", config)
    graph.apply("Identity", [value], "last_hidden_state")
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    shape = ["batch", "sequence", config["hidden_size"]]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, shape)
    body = helper.make_graph(graph.nodes, "encoder", inputs, [output], list(graph.constants.values()))
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(body, opset_imports=opset, ir_version=IR_VERSION, producer_name="portolan")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    weights, config, out = sys.argv[1:]
    with open(config, encoding="utf-8") as file:
        model = encoder(read_safetensors(weights), json.load(file))
    onnx.checker.check_model(model, full_check=True)
    with open(out, "wb") as file:
        file.write(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
