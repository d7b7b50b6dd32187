"""Puts strings around a finished graph of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from keras_seq.export.errors import ExportError
from keras_seq.export.lowering.target import CONTRIB
from keras_seq.export.onnx_graph import STRING_IR_VERSION, STRING_OPSET
from keras_seq.export.passes.scopes import graphs, rename_uses
from keras_seq.export.text.detokenizing import detokenize, token_names
from keras_seq.export.text.graph_text import TEXTS, GraphText
from keras_seq.export.text.labelling import label
from keras_seq.export.text.nodes import ML, Nodes
from keras_seq.export.text.text_input import TextInput
from keras_seq.export.text.tokenizing import tokenize

__all__ = ["chosen_ids", "join_text"]

_ML_VERSION = 4
_CHANGED = ("DFT", "GridSample")
"""Operators that mean something else in opset 20 than in 18, in the forms that the converter writes."""


def chosen_ids(ids: str) -> str:
    """Name of the tensor that holds the ids which were given, or those of the text."""
    return f"{ids}:chosen"


def join_text(proto: onnx.ModelProto, text: GraphText) -> onnx.ModelProto:
    """Gives a finished graph its strings.

    A string input comes before all others. The input of ids becomes an initializer that is an input too, empty: a
    caller who has ids feeds them, and no text beside them, `(0,)`; an `If` takes the ids of the text where there is
    one. The outputs of strings come last.

    Args:
        proto: A finished graph; changed in place.
        text: What to give it.

    Raises:
        ExportError: A name is taken, or the graph has an operator that means something else in the opset of strings.
    """
    graph = proto.graph
    _check(graph, text)
    chosen = {}
    for given in reversed(text.inputs):  # each is put in front
        chosen[given.ids.name] = _add_input(graph, given)
    nodes = Nodes("strings:")
    for output in text.labels:
        label(nodes, output, chosen.get(output.ids, output.ids))
        graph.output.append(_strings(output.name, output.scores.shape[:-1]))
    if text.written is not None:
        detokenize(nodes, "ids", text.written.document, TEXTS)
        (ids,) = (value for value in graph.output if value.name == "ids")
        dims = [dim.dim_param or dim.dim_value for dim in ids.type.tensor_type.shape.dim]
        graph.output.append(_strings(TEXTS, dims[:-1]))
    graph.node.extend(nodes.nodes)
    graph.initializer.extend(nodes.constants)
    _set_versions(proto)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _check(graph: onnx.GraphProto, text: GraphText) -> None:
    changed = sorted({node.op_type for scope in graphs(graph) for node in scope.node} & set(_CHANGED))
    if changed:
        raise ExportError(
            f"the graph holds {', '.join(changed)}, which is another operator at opset {STRING_OPSET}, and strings "
            "need that opset. Export without tokenizer= and labels=."
        )
    for side, values, names in (
        ("input", graph.input, [given.name for given in text.inputs]),
        ("output", graph.output, text.output_names),
    ):
        taken = [value.name for value in values]
        twice = [name for i, name in enumerate(names) if name in taken or name in names[:i]]
        if twice:
            raise ExportError(
                f"the graph would have two {side}s named {', '.join(map(repr, twice))}, as the model has {taken} and "
                "strings come under names of their own. Rename the model's."
            )


def _add_input(graph: onnx.GraphProto, given: TextInput) -> str:
    """The choice between the ids that are given and those of the text; returns the name of what was chosen."""
    ids, chosen = given.ids.name, chosen_ids(given.ids.name)
    kind = next(value for value in graph.input if value.name == ids).type.tensor_type.elem_type
    rename_uses(graph, {ids: chosen})
    nodes = Nodes(f"{given.name}:")
    is_text = nodes.add("Cast", nodes.add("Size", given.name), to=TensorProto.BOOL)
    branches = {"then_branch": _of_text(given, kind), "else_branch": _as_given(given)}
    results = [chosen] if given.tokens is None else [chosen, given.tokens]
    nodes.add_many("If", is_text, outputs=results, **branches)
    for node in reversed(nodes.nodes):
        graph.node.insert(0, node)
    graph.input.insert(0, _strings(given.name, ("batch",)))
    graph.initializer.append(helper.make_tensor(ids, kind, [0, 0], []))
    if given.tokens is not None:
        graph.output.append(_strings(given.tokens, given.ids.shape))
    return chosen


def _of_text(given: TextInput, kind: int) -> onnx.GraphProto:
    nodes = Nodes(f"{given.name}:text/")
    ids, tokens = tokenize(nodes, given.name, given.reading.document, given.reading.framing)
    ids = nodes.add("Cast", ids, to=kind)
    return _branch("of the text", nodes, given, helper.make_tensor_value_info(ids, kind, given.ids.shape), tokens)


def _as_given(given: TextInput) -> onnx.GraphProto:
    nodes = Nodes(f"{given.name}:ids/")
    ids = nodes.add("Identity", given.ids.name)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(given.ids.dtype))
    tokens = None
    if given.tokens is not None:
        names = nodes.constant(token_names(given.reading.document["vocabulary"]))
        tokens = nodes.add("Gather", names, nodes.add("Cast", given.ids.name, to=TensorProto.INT64))
    return _branch("as given", nodes, given, helper.make_tensor_value_info(ids, kind, given.ids.shape), tokens)


def _branch(name: str, nodes: Nodes, given: TextInput, ids: onnx.ValueInfoProto, tokens: str | None) -> onnx.GraphProto:
    outputs = [ids] if given.tokens is None else [ids, _strings(tokens, given.ids.shape)]
    return helper.make_graph(nodes.nodes, name, [], outputs, nodes.constants, value_info=nodes.known)


def _strings(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.STRING, shape)


def _set_versions(proto: onnx.ModelProto) -> None:
    used = {node.domain for scope in graphs(proto.graph) for node in scope.node} | {""}
    versions = {entry.domain: entry.version for entry in proto.opset_import}
    versions |= {"": STRING_OPSET, ML: _ML_VERSION, CONTRIB: 1}
    del proto.opset_import[:]
    proto.opset_import.extend(helper.make_opsetid(name, versions[name]) for name in sorted(used))
    proto.ir_version = STRING_IR_VERSION
