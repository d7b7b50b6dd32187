"""Types and dimensions of all values, those inside bodies too, without touching the weights."""

from __future__ import annotations

import numpy as np
import onnx

from keras_seq.export.passes.scopes import graphs

__all__ = ["infer_types"]

_LIKE_INPUT = {"Gelu", "FastGelu"}
"""Operators of ONNX Runtime, unknown to the inference, whose output is like their input."""
_SMALL = 256
"""Up to this many elements a constant may say something about dimensions; larger ones are weights."""


def infer_types(proto: onnx.ModelProto) -> dict[str, tuple[int, tuple[int | None, ...] | None]]:
    """The element type and the dimensions of each tensor of a model whose values have names of their own.

    The dimensions are those that every run has: None stands for a dynamic one, and for the whole where the rank is
    unknown. Names of dynamic dimensions are dropped, since converters give different names to equal ones and, across
    the iterations of a loop, equal names to different ones.
    """
    skeleton = onnx.ModelProto(ir_version=proto.ir_version, opset_import=proto.opset_import)
    skeleton.graph.name = "skeleton"
    skeleton.graph.node.extend(proto.graph.node)
    skeleton.graph.input.extend(proto.graph.input)
    skeleton.graph.output.extend(proto.graph.output)
    skeleton.graph.value_info.extend(proto.graph.value_info)
    given = {value.name for value in proto.graph.input}
    small = {}
    for tensor in proto.graph.initializer:
        if tensor.name in given:
            continue
        if np.prod(tensor.dims, dtype="int64") <= _SMALL:
            small[tensor.name] = tensor
        else:
            value = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            skeleton.graph.input.append(value)
    skeleton.graph.initializer.extend(small.values())
    for scope in list(graphs(skeleton.graph))[1:]:  # the inference looks up the values of constants in one graph only
        read = {name for node in scope.node for name in node.input}
        scope.initializer.extend(small[name] for name in sorted(read & set(small)))
    for scope in graphs(skeleton.graph):
        for node in scope.node:
            if node.domain and node.op_type in _LIKE_INPUT:
                node.op_type, node.domain = "Identity", ""
    inferred = onnx.shape_inference.infer_shapes(skeleton, data_prop=True)
    types = {}
    for scope in graphs(inferred.graph):
        for value in (*scope.value_info, *scope.input, *scope.output):
            if value.type.HasField("tensor_type"):
                types[value.name] = _described(value.type.tensor_type)
    return types


def _described(tensor: onnx.TypeProto.Tensor) -> tuple[int, tuple[int | None, ...] | None]:
    if not tensor.HasField("shape"):
        return tensor.elem_type, None
    return tensor.elem_type, tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
