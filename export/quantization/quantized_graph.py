"""A graph with the weights of some layers in fewer bits."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from keras_seq.export.lowering.target import CONTRIB
from keras_seq.export.passes.dead_code import dead_code
from keras_seq.export.passes.duplicates import duplicates
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.scopes import graphs
from keras_seq.export.passes.unique_names import unique_names
from keras_seq.export.quantization.choice import choose_half
from keras_seq.export.quantization.decision import FLOAT, HALF, INTEGER, STORED, Decision
from keras_seq.export.quantization.integer_attention import integer_attention
from keras_seq.export.quantization.integer_lstm import integer_lstm
from keras_seq.export.quantization.integer_product import integer_product
from keras_seq.export.quantization.integer_scan import integer_scan
from keras_seq.export.quantization.place import Place, places
from keras_seq.export.quantization.stored_weight import fits_half, store_half, store_integers
from keras_seq.export.quantization.weight_owners import WeightOwners

__all__ = ["quantized_graph"]

_INTEGER = {
    "MatMul": integer_product,
    "Gemm": integer_product,
    "LSTM": integer_lstm,
    "GRU": integer_scan,
    "RNN": integer_scan,
    "Attention": integer_attention,
}


def quantized_graph(
    proto: onnx.ModelProto, bits: int, owners: WeightOwners, wanted: Callable[[str], bool] = lambda layer: True
) -> tuple[onnx.ModelProto, list[Decision]]:
    """A copy of a model with the weights of some layers in fewer bits.

    Args:
        proto: The model, in float32.
        bits: 8 or 16.
        owners: Which layer a weight is of.
        wanted: Says of a layer whether its weights may be quantised.

    Returns:
        The copy, and what became of each node's weights.
    """
    quantized = onnx.ModelProto()
    quantized.CopyFrom(proto)
    if all(entry.domain != CONTRIB for entry in quantized.opset_import):
        quantized.opset_import.append(onnx.helper.make_opsetid(CONTRIB, 1))
    unique_names(quantized.graph)
    index = GraphIndex(quantized)
    decisions, stored = [], {}
    for place in places(index, owners):
        operator = place.node.op_type  # which the rules change
        form, reason = (place.form, place.reason) if bits == 8 else _half(place, index)
        if form != FLOAT and not wanted(place.layer):
            form, reason = FLOAT, "the outputs depend too much on it"
        if form == INTEGER:
            _INTEGER[operator](place.node, place.scope, index)
        elif form in (STORED, HALF):
            stored |= dict.fromkeys(place.weights, place.shared_axis)
        decisions.append(Decision(place.layer, operator, form, reason, place.elements))
    dead_code(quantized.graph)  # before the rest, so that a weight that is only multiplied as integers is gone
    duplicates(quantized.graph)
    dead_code(quantized.graph)
    index = GraphIndex(quantized)
    for name, axis in stored.items():
        if index.is_constant(name):
            store_integers(name, axis, index) if bits == 8 else store_half(name, index)
    for scope in graphs(quantized.graph):
        del scope.value_info[:]
    used = {node.domain for scope in graphs(quantized.graph) for node in scope.node}
    for entry in [entry for entry in quantized.opset_import if entry.domain not in used]:
        quantized.opset_import.remove(entry)
    onnx.checker.check_model(quantized)
    return quantized, decisions


def _half(place: Place, index: GraphIndex) -> tuple[str, str]:
    return choose_half(place.elements, all(fits_half(name, index) for name in place.weights))
