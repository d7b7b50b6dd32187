"""Graphs of text alone, and what they are to give by plain Python."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from keras_seq.export.text.framing import Framing
from keras_seq.export.text.nodes import Nodes
from keras_seq.export.text.tokenizing import tokenize
from keras_seq.text.rules import default_rules
from tests.keras_seq.text import oracle

SPECIAL = ["<pad>", "<start>", "<end>", "<unk>"]
RULES = default_rules(["whitespace", "punctuation", "lower"])


def document(kind, words, **settings):
    """A `tokenizer.json`, made by hand."""
    fixed = {"schema_version": 1, "kind": kind, "vocabulary": [*SPECIAL, *words], "rules": RULES}
    fixed |= {"lowercase": False, "add_start": False, "add_end": False, "max_length": None}
    if kind != "char":
        fixed |= {"split": "words", "punctuation": "split"}
    return fixed | settings


def tokens_of(tokenizer, text):
    """The tokens as they stand in the text, by plain Python."""
    if tokenizer["kind"] == "char":
        return list(text)
    keep = tokenizer["split"] == "whitespace" or tokenizer["punctuation"] == "keep"
    return oracle.words(text, "keep" if keep else tokenizer["punctuation"])


def expected(tokenizer, text):
    """Ids and tokens of a text with the frame, by plain Python."""
    tokens = tokens_of(tokenizer, text)
    known = {word: index for index, word in enumerate(tokenizer["vocabulary"]) if index > 3}
    ids = [known.get(oracle.lowered(token) if tokenizer["lowercase"] else token, 3) for token in tokens]
    start, end = [1] * tokenizer["add_start"], [2] * tokenizer["add_end"]
    room = None if tokenizer["max_length"] is None else tokenizer["max_length"] - len(start) - len(end)
    names = ["<start>"] * len(start) + tokens[:room] + ["<end>"] * len(end)
    return start + ids[:room] + end, names


def session(model):
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def graph(nodes, inputs, outputs):
    """A session of a piece of graph; inputs and outputs are (name, type, dimensions)."""
    values = [[helper.make_tensor_value_info(*value) for value in side] for side in (inputs, outputs)]
    made = helper.make_graph(nodes.nodes, "piece", *values, nodes.constants, value_info=nodes.known)
    opsets = [helper.make_opsetid(*entry) for entry in (("", 20), ("ai.onnx.ml", 4), ("com.microsoft", 1))]
    return session(helper.make_model(made, opset_imports=opsets, ir_version=9))


def tokenizing(tokenizer):
    """A function from texts to ids and tokens, by the graph."""
    nodes = Nodes("piece/")
    framing = Framing(tokenizer["add_start"], tokenizer["add_end"], tokenizer["max_length"])
    ids, tokens = tokenize(nodes, "text", tokenizer, framing)
    dims = ["batch", "time"]
    outputs = [(ids, TensorProto.INT64, dims), (tokens, TensorProto.STRING, dims)]
    made = graph(nodes, [("text", TensorProto.STRING, ["batch"])], outputs)
    return lambda texts: made.run(None, {"text": np.array(texts, object)})


def assert_tokenized(tokenizer, run, texts):
    """Compares one batch with plain Python, padding included."""
    ids, tokens = run(texts)
    rows = [expected(tokenizer, text) for text in texts]
    width = max(1, *(len(row) for row, _ in rows))
    assert ids.shape == tokens.shape == (len(texts), width)
    for text, got_ids, got_tokens, (want_ids, want_tokens) in zip(texts, ids, tokens, rows, strict=True):
        missing = width - len(want_ids)
        assert got_ids.tolist() == want_ids + [0] * missing, text[:50]
        assert got_tokens.tolist() == want_tokens + [""] * missing, text[:50]
