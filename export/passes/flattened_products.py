"""Rules on products written with more nodes than ONNX needs.

    Reshape(MatMul(Reshape(x, [-1, k]), W), [*Shape(x)[:-1], n])  ->  MatMul(x, W)       W: (k, n)

TensorFlow flattens all axes but the last for a product with a matrix (`Dense`, `tensordot`); ONNX' MatMul does without.
Refused where the dimensions that it restores are not those of x.

    h[:, :u], h[:, u:2*u], h[:, 2*u:]  ->  Split(h, [u, u, n - 2*u])

Refused where the slices of a value are not all of it, once each, along one axis whose size is known.
"""

from __future__ import annotations

import numpy as np
import onnx

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.rewrite import Rule
from keras_seq.export.passes.shape_values import dimension, shape_value
from keras_seq.export.passes.shapes import attribute, slice_bounds, whole_axis

__all__ = ["PRODUCT_RULES"]


def _flattened_product(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    product = index.producer(node.input[0], "MatMul") if node.op_type == "Reshape" else None
    flat = index.producer(product.input[0], "Reshape") if product is not None else None
    if flat is None or attribute(flat, "allowzero", 0) or attribute(node, "allowzero", 0):
        return False
    source, matrix = flat.input[0], product.input[1]
    shape, weights, rows = index.shape(source), index.shape(matrix), index.integers(flat.input[1])
    if shape is None or len(shape) < 2 or weights is None or len(weights) != 2 or None in weights:
        return False
    if rows != [-1, weights[0]] or shape[-1] != weights[0]:
        return False
    if not _restores(node.input[1], source, shape[:-1], weights[1], index):
        return False
    return index.become(node, graph, "MatMul", [source, matrix])


def _restores(name: str, source: str, shape: tuple[int | None, ...], columns: int, index: GraphIndex) -> bool:
    """Whether a vector of sizes is that of `source`, with the last one replaced."""
    sizes = shape_value(name, index)
    if sizes is None or len(sizes) != len(shape) + 1 or sizes[-1] not in (columns, -1):
        return False
    # At most one size is left to be found by the runtime; 0 would be the size of the flat product's axis.
    if sum(size == -1 for size in sizes) > 1:
        return False
    open_axes = 0
    for axis, (size, known) in enumerate(zip(sizes[:-1], shape, strict=True)):
        if size == dimension(source, axis, index) or (known is not None and size == known != 0):
            continue
        if size != -1:
            return False
        open_axes += 1
    return open_axes <= 1


def _slices_to_split(node: onnx.NodeProto, graph: onnx.GraphProto, index: GraphIndex) -> bool:
    if node.op_type != "Slice":
        return False
    source = node.input[0]
    shape = index.shape(source)
    if shape is None:
        return False
    slices = [
        n for n, home in index.consumers(source) if home is graph and n.op_type == "Slice" and n.input[0] == source
    ]
    slices = list({n.output[0]: n for n in slices}.values())
    parts = [_part(n, shape, index) for n in slices]
    if len(parts) < 2 or None in parts or len({axis for axis, _, _ in parts}) != 1:
        return False
    axis = parts[0][0]
    order = sorted(range(len(parts)), key=lambda i: parts[i][1])
    edges = [0] + [parts[i][2] for i in order]
    if [parts[i][1] for i in order] != edges[:-1] or edges[-1] != shape[axis]:
        return False
    sizes = index.add_constant(np.diff(edges).astype("int64"), f"{source}/sizes")
    first = next(n for n in graph.node if n.output[0] in {s.output[0] for s in slices})
    outputs = [index.names.fresh(f"{slices[i].output[0]}/part") for i in order]
    index.insert(first, graph, "Split", [source, sizes], outputs, axis=axis)
    for i, output in zip(order, outputs, strict=True):
        index.become(slices[i], graph, "Identity", [output])
    return True


def _part(node: onnx.NodeProto, shape: tuple[int | None, ...], index: GraphIndex) -> tuple[int, int, int] | None:
    """The axis, start and end of a slice along one axis; None if it is anything else."""
    bounds = slice_bounds(node, index)
    if bounds is None:
        return None
    cut = [axis for axis, (start, end) in bounds.items() if not whole_axis(start, end, shape[axis])]
    if len(cut) != 1 or shape[cut[0]] is None:
        return None
    (axis,) = cut
    start, end, _ = slice(*bounds[axis]).indices(shape[axis])
    return (axis, start, end) if start < end else None


PRODUCT_RULES: tuple[Rule, ...] = (_flattened_product, _slices_to_split)
