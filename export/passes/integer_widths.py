"""Lets positions and sizes stay the 64-bit integers that ONNX makes of them.

    k = Cast(TopK(x)[1], int32)                        k = TopK(x)[1]
    t = Where(f, 0, k)                         ->      t = Where(f, 0, k)
    y = Cast(t, int64)

TensorFlow computes with positions and sizes in 32 bits, ONNX makes and wants 64, so a converter casts there and back.
From each Cast of 64 bits to 32 this pass follows the value through operations that work in either width. It rewrites
them in 64 bits if that leaves fewer casts, counting those needed where the value enters another operation or an output.

Only values that fit 32 bits are followed (`casts.fits_32_bits`), so that both widths hold the same numbers. Sums and
products of such could exceed 32 bits, where the one width would wrap and the other would not: they are positions and
sizes here, and one that wraps is of no use to any model.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx
from onnx import TensorProto

from keras_seq.export.passes.casts import cast_target, fits_32_bits
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.scopes import graphs

__all__ = ["integer_widths"]

_DATA_INPUTS = {
    "Identity": [0], "Reshape": [0], "Squeeze": [0], "Unsqueeze": [0], "Transpose": [0], "Slice": [0], "Gather": [0],
    "GatherND": [0], "GatherElements": [0], "Expand": [0], "Where": [1, 2], "Add": [0, 1], "Sub": [0, 1],
    "Mul": [0, 1], "Div": [0, 1], "Mod": [0, 1],
}  # fmt: skip
"""The operations that work in either width, and which of their inputs have it. `Concat`, `Max` and `Min`: all."""
_ALL_INPUTS = {"Concat", "Max", "Min"}
_COMPARISONS = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"}


@dataclass
class _Island:
    """What would become 64 bits wide.

    Attributes:
        start: The cast that would go.
        nodes: Operations whose result would be wide.
        values: The wide values: of the cast and of those nodes.
        comparisons: Operations that would compare wide values.
        narrowed: Values that some reader still wants in 32 bits.
        widened: Values from elsewhere that would need a cast.
        gain: Casts saved, less casts added; one outside of the loop that its reader is in counts a quarter.
    """

    start: onnx.NodeProto
    nodes: dict[str, tuple[onnx.NodeProto, onnx.GraphProto]] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)
    comparisons: dict[str, tuple[onnx.NodeProto, onnx.GraphProto]] = field(default_factory=dict)
    narrowed: set[str] = field(default_factory=set)
    widened: set[str] = field(default_factory=set)
    gain: float = 1.0


def integer_widths(index: GraphIndex) -> int:
    """Removes detours of 64-bit integers through 32 bits.

    Args:
        index: Of the model, which is changed in place.

    Returns:
        How many detours were removed.
    """
    count = 0
    for scope in list(graphs(index.graph)):
        for node in list(scope.node):
            if _is_narrowing(node, index):
                island = _explore(node, index)
                if island.gain > 0:
                    _widen(island, index)
                    count += 1
    return count


def _is_narrowing(node: onnx.NodeProto, index: GraphIndex) -> bool:
    return (
        node.op_type == "Cast"
        and cast_target(node) == TensorProto.INT32
        and index.dtype(node.input[0]) == TensorProto.INT64
        and fits_32_bits(node.input[0], index)
    )


def _explore(start: onnx.NodeProto, index: GraphIndex) -> _Island:
    island = _Island(start, values={start.output[0]})
    pending = [start.output[0]]
    while pending:
        name = pending.pop()
        if name in index.outputs:
            island.narrowed.add(name)
        for reader, graph in index.consumers(name):
            if reader.output[0] in island.nodes or reader.output[0] in island.comparisons:
                continue
            if reader.op_type == "Cast" and not reader.domain:
                island.gain += cast_target(reader) == TensorProto.INT64
            elif reader.op_type in _COMPARISONS:
                island.comparisons[reader.output[0]] = reader, graph
            elif name in _data_inputs(reader) and reader.input[:].count(name) == _data_inputs(reader).count(name):
                island.nodes[reader.output[0]] = reader, graph
                island.values.add(reader.output[0])
                pending.append(reader.output[0])
            elif not _takes_index(reader, name):
                island.narrowed.add(name)
    for reader, graph in (*island.nodes.values(), *island.comparisons.values()):
        for name in _data_inputs(reader):
            if name in island.values or index.constant(name) is not None or name in island.widened:
                continue
            island.widened.add(name)
            island.gain -= 1.0 if index.homes[name] is graph else 0.25
    island.gain -= len(island.narrowed)
    return island


def _data_inputs(node: onnx.NodeProto) -> list[str]:
    if node.domain:
        return []
    if node.op_type in _ALL_INPUTS or node.op_type in _COMPARISONS:
        return list(node.input)
    return [node.input[i] for i in _DATA_INPUTS.get(node.op_type, ())]


def _takes_index(node: onnx.NodeProto, name: str) -> bool:
    """Whether a node reads a value once, as indices whose width is free."""
    return node.op_type in ("Gather", "GatherElements") and not node.domain and list(node.input).index(name) == 1


def _widen(island: _Island, index: GraphIndex) -> None:
    wide = {island.start.output[0]: island.start.input[0]}
    for output in island.nodes:
        wide[output] = index.names.fresh(f"{output}/wide")
    for name in island.widened:
        wide[name] = index.names.fresh(f"{name}/wide")
        index.insert_after(name, "Cast", [name], [wide[name]], to=TensorProto.INT64)
    for reader, graph in (*island.nodes.values(), *island.comparisons.values()):
        data = set(_data_inputs(reader))
        for position, name in enumerate(list(reader.input)):
            if name in data:
                if name not in wide:
                    wide[name] = index.add_constant(index.constant(name).astype("int64"), f"{name}/wide")
                index.rewire(reader, graph, position, wide[name])
    for name in island.values:
        for reader, graph in index.consumers(name):
            if reader.op_type == "Cast" or _takes_index(reader, name):
                index.rewire(reader, graph, list(reader.input).index(name), wide[name])
    for output, (node, _) in island.nodes.items():
        index.rename_output(node, output, wide[output])
        if output in island.narrowed:
            index.insert_after(wide[output], "Cast", [wide[output]], [output], to=TensorProto.INT32)
