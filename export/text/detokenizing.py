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
    texts = _joined(nodes, pieces, nodes.add("Shape", rows, start=0, end=1))  # (rows,)
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
    """Pieces `(time, rows)`, `time` at least 1, into texts `(rows,)`: neighbours are put together, as often as needed.

    Not a `Scan` over time: `StringConcat` (ONNX Runtime 1.17 to 1.31) adds to what the memory that it is given holds
    already, and a `Scan` gives it that of two steps before. A `Loop` takes new memory at each step.
    """
    inner = Nodes(f"{nodes.prefix}joining/")
    names = ["step", "go_on", "pieces", "more", "joined"]
    step, go_on, before, more, joined = (f"{inner.prefix}{name}" for name in names)
    zero, one, two = (inner.constant([value], "int64") for value in (0, 1, 2))
    count = inner.add("Shape", before, start=0, end=1)
    width = inner.add("Shape", before, start=1, end=2)
    odd = inner.add("Concat", inner.add("Mod", count, two), width, axis=0)
    even = inner.add("Concat", before, inner.add("Expand", inner.constant([[""]]), odd), axis=0)
    end = inner.constant([2**62], "int64")
    first, second = (inner.add("Slice", even, start, end, zero, two) for start in (zero, one))
    inner.add("StringConcat", first, second, output=joined)
    left = inner.add("Shape", joined, start=0, end=1)
    inner.add("Squeeze", inner.add("Greater", left, one), zero, output=more)
    body = helper.make_graph(
        inner.nodes,
        "join neighbours",
        [
            helper.make_tensor_value_info(step, onnx.TensorProto.INT64, []),
            helper.make_tensor_value_info(go_on, onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info(before, onnx.TensorProto.STRING, [None, None]),
        ],
        [
            helper.make_tensor_value_info(more, onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info(joined, onnx.TensorProto.STRING, [None, None]),
        ],
        inner.constants,
    )
    whole = nodes.add("Loop", "", nodes.constant(True, "bool"), pieces, body=body)  # (1, rows)
    return nodes.add("Reshape", whole, rows)
