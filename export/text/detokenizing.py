"""From ids to text, in the graph."""

from __future__ import annotations

import onnx
from onnx import helper

from keras_seq.export.text.nodes import Nodes

__all__ = ["detokenize", "token_names"]

_START, _END = 1, 2


def token_names(vocabulary: list[str]) -> list[str]:
    """What stands for each id among tokens: the padding is "", so that it can be told from all else."""
    return ["", *vocabulary[1:]]


def detokenize(nodes: Nodes, ids: str, tokenizer: dict, output: str) -> str:
    """Ids `(..., time)` of any integer type into the texts `(...)` that they spell.

    Padding and start are left out, and everything from the first end on.

    Args:
        nodes: Takes the nodes.
        ids: Name of the ids; all of them in the vocabulary.
        tokenizer: What its `tokenizer.json` says; of any kind.
        output: Name of the texts.
    """
    last, all_but_last = nodes.constant([-1], "int64"), {"start": 0, "end": -1}
    steps = nodes.add("Shape", ids, start=-1)
    whole = nodes.add("Cast", ids, to=onnx.TensorProto.INT64)
    rows = nodes.add("Reshape", whole, nodes.add("Concat", last, steps, axis=0))
    tokens = nodes.add("Transpose", rows, perm=[1, 0])  # (time, rows)
    time = nodes.constant(0, "int64")
    ends = nodes.add("Cast", nodes.add("Equal", tokens, nodes.constant(_END, "int64")), to=onnx.TensorProto.INT64)
    ended = nodes.add("Greater", nodes.add("CumSum", ends, time), nodes.constant(0, "int64"))
    skipped = nodes.add("Or", ended, nodes.add("LessOrEqual", tokens, nodes.constant(_START, "int64")))
    written = nodes.add("Not", skipped)
    front, later = _spellings(tokenizer)
    pieces = nodes.add("Gather", nodes.constant(later), tokens)
    if front != later:
        count = nodes.add("CumSum", nodes.add("Cast", written, to=onnx.TensorProto.INT64), time)
        is_first = nodes.add("Equal", count, nodes.constant(1, "int64"))
        pieces = nodes.add("Where", is_first, nodes.add("Gather", nodes.constant(front), tokens), pieces)
    pieces = nodes.add("Where", written, pieces, nodes.constant(""))
    texts = _joined(nodes, pieces, nodes.add("Shape", rows, start=0, end=1))
    return nodes.add("Reshape", texts, nodes.add("Shape", ids, **all_but_last), output=output)


def _spellings(tokenizer: dict) -> tuple[list[str], list[str]]:
    """What each id adds to a text, at its beginning and behind another."""
    vocabulary, kind = tokenizer["vocabulary"], tokenizer["kind"]
    if kind == "char":
        return vocabulary, vocabulary
    if kind == "word":
        return vocabulary, [f" {token}" for token in vocabulary]
    prefix = tokenizer["prefix"]
    goes_on = [token.startswith(prefix) and token != prefix for token in vocabulary]
    front = [token[len(prefix) * inner :] for token, inner in zip(vocabulary, goes_on, strict=True)]
    return front, [token if inner else f" {token}" for token, inner in zip(front, goes_on, strict=True)]


def _joined(nodes: Nodes, pieces: str, rows: str) -> str:
    """Pieces `(time, rows)` into texts `(rows,)`."""
    text, piece, longer = (f"{nodes.prefix}joining/{name}" for name in ("text", "piece", "longer"))
    info = [helper.make_tensor_value_info(name, onnx.TensorProto.STRING, ["rows"]) for name in (text, piece, longer)]
    body = helper.make_graph([helper.make_node("StringConcat", [text, piece], [longer])], "join", info[:2], info[2:])
    start = nodes.add("Expand", nodes.constant([""]), rows)
    return nodes.add("Scan", start, pieces, body=body, num_scan_inputs=1)
