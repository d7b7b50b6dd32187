"""Brings all constants to the outermost graph, once each.

- `Constant` nodes become initializers.
- The initializers of bodies and branches move out: runtimes prepare the constants of the outermost graph once, and
  passes find them in one place.
- Of constants that are equal in type, dimensions and bytes, one is kept.

Left where they are: constants that are an output of their graph, strings, sparse tensors, and the defaults of inputs,
which a caller may replace.
"""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
from onnx import numpy_helper

from keras_seq.export.passes.scopes import graphs, remove_nodes, rename_uses

__all__ = ["outer_constants"]

_PLAIN = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}


def outer_constants(graph: onnx.GraphProto) -> int:
    """Moves constants to the outermost graph and merges equal ones.

    Args:
        graph: The outermost graph, with a name for each value (`unique_names`); changed in place.

    Returns:
        How many were moved or merged.
    """
    count = 0
    for scope in graphs(graph):
        outputs = {value.name for value in scope.output}
        dropped = []
        for position, node in enumerate(scope.node):
            tensor = _tensor(node)
            if tensor is not None and node.output[0] not in outputs:
                tensor.name = node.output[0]
                graph.initializer.append(tensor)
                dropped.append(position)
        remove_nodes(scope, dropped)
        count += len(dropped)
        if scope is graph:
            continue
        given = {value.name for value in scope.input}
        for position in range(len(scope.initializer) - 1, -1, -1):
            tensor = scope.initializer[position]
            if tensor.name not in outputs | given:
                graph.initializer.append(tensor)
                del scope.initializer[position]
                count += 1
    return count + _merge(graph)


def _tensor(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """What a `Constant` node holds, if this pass moves it."""
    if node.op_type != "Constant" or node.domain or len(node.attribute) != 1:
        return None
    (attribute,) = node.attribute
    if attribute.name == "value":
        tensor = onnx.TensorProto()
        tensor.CopyFrom(attribute.t)
        return tensor
    if attribute.name in _PLAIN:
        value = onnx.helper.get_attribute_value(attribute)
        return numpy_helper.from_array(np.asarray(value, _PLAIN[attribute.name]))
    return None


def _merge(graph: onnx.GraphProto) -> int:
    kept: dict[tuple, str] = {}
    fixed = {value.name for value in (*graph.input, *graph.output)}
    renames, dropped = {}, []
    for position, tensor in enumerate(graph.initializer):
        if tensor.name in fixed or tensor.data_location == onnx.TensorProto.EXTERNAL:
            continue
        if tensor.data_type == onnx.TensorProto.STRING:
            continue
        content = tensor.raw_data or numpy_helper.to_array(tensor).tobytes()
        key = tensor.data_type, tuple(tensor.dims), hashlib.sha256(content).digest()
        if key in kept:
            renames[tensor.name] = kept[key]
            dropped.append(position)
        else:
            kept[key] = tensor.name
    for position in reversed(dropped):
        del graph.initializer[position]
    rename_uses(graph, renames)
    return len(dropped)
