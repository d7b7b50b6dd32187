"""The nodes of a graph whose weights can be quantised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from keras_seq.export.lowering.target import CONTRIB
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.scopes import graphs
from keras_seq.export.quantization.choice import ACTIVATIONS, choose_product, choose_recurrent, choose_stored
from keras_seq.export.quantization.integer_product import product_weight
from keras_seq.export.quantization.weight_owners import WeightOwners

__all__ = ["Place", "places", "related"]


@dataclass(frozen=True)
class Place:
    """One node and its weights.

    Attributes:
        node: The node.
        scope: Its graph.
        weights: Names of its float constants, biases left out.
        layer: The layer they are of.
        form: What suits them best, as `Decision` calls it.
        reason: Why.
        elements: How many numbers they have.
        rank: How many axes they have.
    """

    node: onnx.NodeProto
    scope: onnx.GraphProto
    weights: tuple[str, ...]
    layer: str
    form: str
    reason: str
    elements: int
    rank: int

    @property
    def shared_axis(self) -> int | tuple[int, ...]:
        """The axes of its weights that share a scale where they are stored as integers: those that outputs sum over."""
        if self.node.op_type == "Conv":  # (outputs, inputs, *sizes), all weights of one rank
            return tuple(range(1, self.rank))
        transposed = any(a.name == "transB" and a.i for a in self.node.attribute)
        return -2 if self.node.op_type in ("MatMul", "Gemm", "Attention") and not transposed else -1


def places(index: GraphIndex, owners: WeightOwners) -> list[Place]:
    """All nodes of a model with weights, each with the form that suits it.

    Args:
        index: Of the model.
        owners: Of its weights.
    """
    found = []
    for scope in graphs(index.graph):
        for node in scope.node:
            weights = tuple(dict.fromkeys(_weights(node, index)))
            if weights:
                arrays = [numpy_helper.to_array(index.tensor(name)) for name in weights]
                elements = sum(array.size for array in arrays)
                layer = owners.of(arrays) or _by_name(node, arrays[0].shape)
                form, reason = _choice(node, index, elements)
                found.append(Place(node, scope, weights, layer, form, reason, elements, arrays[0].ndim))
    return found


def related(layer: str, other: str) -> bool:
    """Whether one of two layers is the other or a part of it; a path with ` + ` names several."""
    pairs = ((a, b) for a in layer.split(" + ") for b in other.split(" + "))
    return any(a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/") for a, b in pairs)


def _weights(node: onnx.NodeProto, index: GraphIndex) -> Iterator[str]:
    for name in node.input:
        tensor = index.tensor(name) if name else None
        if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        if node.op_type in ACTIVATIONS and name not in node.input[1:3]:
            continue  # biases, peepholes, states
        if np.prod(tensor.dims) > max(tensor.dims):  # a row or a column is a bias
            yield name


def _choice(node: onnx.NodeProto, index: GraphIndex, elements: int) -> tuple[str, str]:
    if node.op_type in ACTIVATIONS and not node.domain:
        if not all(index.is_constant(name) for name in node.input[1:4] if name):
            return choose_stored(elements, "part of its weights is computed by the model")
        settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        named = [name.decode() for name in settings.get("activations", [])]
        activations = tuple(named) or ACTIVATIONS[node.op_type]
        units = index.shape(node.input[2])[2]
        return choose_recurrent(node.op_type, units, elements, activations)
    if node.op_type == "Attention" and node.domain == CONTRIB:
        mask = node.input[3] if len(node.input) > 3 else ""
        if len(node.input) > 4 or len(node.output) > 1 or (mask and index.shape(mask) is None):
            return choose_stored(elements, "what it reads beside its input is not known here")
        return choose_product(elements)
    if product_weight(node, index) is not None:
        return choose_product(elements)
    kind = "looked up, not multiplied" if node.op_type in ("Gather", "GatherND") else f"{node.op_type} is one of floats"
    return choose_stored(elements, kind)


def _by_name(node: onnx.NodeProto, shape: tuple[int, ...]) -> str:
    """What to call the layer of a weight that was computed when the graph was made, such as a product of two."""
    path = [part for part in node.name.split("/")[:-1] if not part.startswith(("while", "PyFunc"))]
    return "/".join(path) or f"decode loop, {node.op_type} {'×'.join(map(str, shape))}"
