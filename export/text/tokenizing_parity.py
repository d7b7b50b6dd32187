"""Compares what one input's texts become: in TensorFlow, in an ONNX graph, in the runtime's Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from keras_seq.export.errors import ParityError
from keras_seq.export.parity import Parity
from keras_seq.export.passes.scopes import graphs
from keras_seq.export.text.joining import chosen_ids
from keras_seq.export.text.text_input import TextInput
from keras_seq.serving.text import load_tokenizer

__all__ = ["compare_tokenizing", "tokenizing_part"]

_SHOWN = 60


def compare_tokenizing(given: TextInput, texts: Sequence[str], graph: Path | None) -> list[Parity]:
    """Compares ids, and tokens where a graph gives them.

    Args:
        given: The input.
        texts: What to try.
        graph: The ONNX graph that takes them; None where none does.

    Raises:
        ParityError: Two of them differ; it names the text.
    """
    layer = given.reading.layer()
    expected = [row[: _length(row)].tolist() for row in layer(list(texts)).numpy()]
    found = {"serving": [row.tolist() for row in load_tokenizer(given.reading.document).encode(list(texts))]}
    if graph is not None:
        run = _runner(tokenizing_part(onnx.load(graph), given))
        results = [run(text) for text in texts]
        found[graph.name] = [ids[0, : _length(ids[0])].tolist() for ids, *_ in results]
        if given.tokens is not None:
            _compare_tokens(given, texts, [tokens for _, tokens in results], graph.name)
    rows = []
    for candidate, received in found.items():
        for text, wanted, got in zip(texts, expected, received, strict=True):
            if wanted != got:
                raise ParityError(
                    f"the text {_shorten(text)} becomes {_shorten(wanted)} in the tokenizer of input "
                    f"{given.ids.name!r}, but {_shorten(got)} in {candidate}.",
                    rows,
                )
        rows.append(Parity("tokenizer", candidate, given.ids.name, len(texts), 0.0, 0.0, 0.0, 0.0, passed=True))
    return rows


def tokenizing_part(proto: onnx.ModelProto, given: TextInput) -> onnx.ModelProto:
    """The piece of a graph from one text to its ids and tokens, as a model of its own.

    Args:
        proto: The whole graph; it is left as it is.
        given: The input.
    """
    graph = proto.graph
    wanted = [chosen_ids(given.ids.name), *[given.tokens] * (given.tokens is not None)]
    needed, nodes = set(wanted), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            nodes.insert(0, node)
            needed |= {name for scope in _scopes(node) for name in scope}
    ids = next(value for value in graph.input if value.name == given.ids.name)
    kind = ids.type.tensor_type.elem_type
    outputs = [
        onnx.helper.make_tensor_value_info(name, kind if i == 0 else onnx.TensorProto.STRING, given.ids.shape)
        for i, name in enumerate(wanted)
    ]
    part = onnx.helper.make_graph(
        nodes,
        "tokenizing",
        [value for value in graph.input if value.name in needed],
        outputs,
        [tensor for tensor in graph.initializer if tensor.name in needed],
    )
    return onnx.helper.make_model(part, opset_imports=proto.opset_import, ir_version=proto.ir_version)


def _scopes(node: onnx.NodeProto) -> list[list[str]]:
    """What a node reads, those within it included."""
    inner = [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    return [list(node.input), *[list(n.input) for graph in inner for scope in graphs(graph) for n in scope.node]]


def _runner(proto: onnx.ModelProto):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = proto.graph.input[0].name
    return lambda text: session.run(None, {name: np.array([text], object)})


def _compare_tokens(given: TextInput, texts: Sequence[str], received: list[np.ndarray], candidate: str) -> None:
    framing = given.reading.framing
    room = None if framing.max_length is None else framing.max_length - framing.add_start - framing.add_end
    rows = given.reading.splitter().split(list(texts)).to_list()
    for text, row, tokens in zip(texts, rows, received, strict=True):
        inner = [token.decode() for token in row][:room]
        wanted = ["<start>"] * framing.add_start + inner + ["<end>"] * framing.add_end
        got = tokens[0].tolist()
        if (wanted or [""]) != got:
            raise ParityError(
                f"the text {_shorten(text)} has the tokens {_shorten(wanted)} in the tokenizer of input "
                f"{given.ids.name!r}, but {_shorten(got)} in {candidate}.",
                [],
            )


def _length(ids: np.ndarray) -> int:
    """Without the padding: the only 0, or the only steps that begin with one."""
    return int(np.count_nonzero(ids if ids.ndim == 1 else ids[:, 0]))


def _shorten(value) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
