"""The forms of a bundle's graphs that Triton takes.

Triton's backend for ONNX Runtime wants every input of a model that batches in every request, and knows no state
without entries. So a graph with inputs that may be left out is written in forms without them, and a state that starts
empty starts with one entry that the graph drops.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from keras_seq.export.passes.dead_code import dead_code
from keras_seq.export.passes.scopes import Names, rename_uses
from keras_seq.serving.graph_spec import GraphSpec

__all__ = ["all_optional", "numbers_alone", "started_with_one", "texts_alone"]

_END = np.iinfo("int64").max


def numbers_alone(proto: onnx.ModelProto, spec: GraphSpec) -> onnx.ModelProto:
    """The graph without its strings and options: every input must be given, every option has its default.

    Args:
        proto: As the bundle has it; left as it is.
        spec: What the bundle says of it.
    """
    text = spec.text
    proto = _copy(proto)
    graph = proto.graph
    if text is not None:
        _remove(graph.output, set(text.outputs))
        _remove(graph.initializer, set(text.inputs.values()))  # the ids, which must be given now
        _choose_ids(graph, set(text.inputs))
        _remove(graph.input, set(text.inputs))
    return _finished(proto, spec)


def texts_alone(proto: onnx.ModelProto, spec: GraphSpec) -> onnx.ModelProto:
    """The graph without its options and without the ids that texts stand for: texts must be given.

    Args:
        proto: As the bundle has it, with string inputs; left as it is.
        spec: What the bundle says of it.
    """
    proto = _copy(proto)
    _remove(proto.graph.input, set(spec.text.inputs.values()))
    return _finished(proto, spec)


def all_optional(proto: onnx.ModelProto, spec: GraphSpec) -> onnx.ModelProto:
    """The graph whose texts, too, may be left out, as its options and the ids of texts may be anyway.

    Args:
        proto: As the bundle has it; left as it is.
        spec: What the bundle says of it.
    """
    if spec.text is None:
        return proto
    proto = _copy(proto)
    _empty_texts(proto.graph, spec.text.inputs)
    return proto


def started_with_one(proto: onnx.ModelProto, spec: GraphSpec) -> onnx.ModelProto:
    """The step whose growing states have one entry more, at their front, than they have steps.

    The graph drops it from what comes in and puts zeros there in what goes out. So a stream starts with one entry of
    zeros, where that of the bundle starts with none.

    Args:
        proto: As the bundle has it, with states; left as it is.
        spec: What the bundle says of it.
    """
    growing = [state for state in spec.states if state.growing_dim is not None]
    if not growing:
        return proto
    proto = _copy(proto)
    graph = proto.graph
    names = Names(graph)
    one, end = names.fresh("triton:one"), names.fresh("triton:end")
    constants = {one: np.array([1]), end: np.array([_END])}
    for state in growing:
        axis = state.shape.index(state.growing_dim)
        steps, longer = names.fresh(f"{state.input}:steps"), names.fresh(f"{state.output}:steps")
        rename_uses(graph, {state.input: steps, state.output: longer})
        for node in graph.node:
            node.output[:] = [longer if name == state.output else name for name in node.output]
        axes, pads = names.fresh(f"{state.name}:axis"), names.fresh(f"{state.name}:pads")
        constants[axes] = np.array([axis])
        constants[pads] = np.eye(1, 2 * len(state.shape), axis, dtype="int64")[0]  # one more in front, on that axis
        graph.node.insert(0, helper.make_node("Slice", [state.input, one, end, axes], [steps], f"triton:{steps}"))
        graph.node.append(helper.make_node("Pad", [longer, pads], [state.output], f"triton:{longer}"))
        for name, dim in ((state.input, f"1 + {state.growing_dim}"), (state.output, f"1 + {state.growing_dim} + time")):
            _value(graph, name).type.tensor_type.shape.dim[axis].dim_param = dim
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _copy(proto: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    return copy


def _finished(proto: onnx.ModelProto, spec: GraphSpec) -> onnx.ModelProto:
    """Without options, and without what nothing reads any more."""
    _remove(proto.graph.input, {option.name for option in spec.options})
    dead_code(proto.graph)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _choose_ids(graph: onnx.GraphProto, texts: set[str]) -> None:
    """Takes the branch for ids wherever a graph looks whether there is a text.

    Left to the runtime, the choice would be made when it loads the graph, and its inference of shapes fails before
    that, on the other branch, of no text.
    """
    told = set(texts)
    for node in list(graph.node):
        if not node.input or not told.issuperset(node.input):
            continue
        if node.op_type != "If":
            told.update(node.output)
            continue
        branch = next(attribute.g for attribute in node.attribute if attribute.name == "else_branch")
        graph.initializer.extend(branch.initializer)
        position = list(graph.node).index(node)
        inlined = [*branch.node]
        inlined += [
            helper.make_node("Identity", [value.name], [name])
            for value, name in zip(branch.output, node.output, strict=True)
        ]
        del graph.node[position]
        for inner in reversed(inlined):
            graph.node.insert(position, inner)


def _empty_texts(graph: onnx.GraphProto, inputs: Mapping[str, str]) -> None:
    """No text, unless one is fed."""
    graph.initializer.extend(helper.make_tensor(name, TensorProto.STRING, [0], []) for name in inputs)


def _remove(values, names: set[str]) -> None:
    kept = [value for value in values if value.name not in names]
    del values[:]
    values.extend(kept)


def _value(graph: onnx.GraphProto, name: str) -> onnx.ValueInfoProto:
    return next(value for value in (*graph.input, *graph.output) if value.name == name)
