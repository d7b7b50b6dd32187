"""Keeps weights small that are stored in one or two bytes an entry, where nothing is folded when a file is loaded.

The quantiser stores such weights before a `Cast`, and a `Mul` with their scale, which ONNX Runtime computes when it
loads an `.onnx` file. In its own format they are either computed once, here, and the file is as large as that of the
float graph, or at each call.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from keras_seq.export.passes.scopes import Names, graphs

__all__ = ["gather_before_widening", "hold_back_small_weights"]

_SMALL = {onnx.TensorProto.INT8, onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}


def gather_before_widening(graph: onnx.GraphProto) -> int:
    """Lets a `Gather` take rows of the small table; they alone are widened then, to the very same numbers.

        Gather(Mul(Cast(table), scale), ids)    ->    Mul(Cast(Gather(table, ids)), scale)

    with the rows of `scale` where it has one for each row of the table. What else reads the wide table still does.

    Args:
        graph: The outermost graph; changed in place.

    Returns:
        How many there were.
    """
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    names, count = Names(graph), 0
    # From within, as a graph whose nodes are put back holds copies of them, and of the graphs in them.
    for scope in reversed(list(graphs(graph))):
        rewritten = []
        for node in scope.node:
            found = _wide_table(node, makers, tensors) if node.op_type == "Gather" and not node.domain else None
            if found is None:
                rewritten.append(node)
                continue
            cast, scale = found
            rewritten += _rows_widened(node, cast, scale, graph, names)
            count += 1
        del scope.node[:]
        scope.node.extend(rewritten)
    if count:
        _remove_unread(graph)
    return count


def _wide_table(
    gather: onnx.NodeProto, makers: dict[str, onnx.NodeProto], tensors: dict[str, onnx.TensorProto]
) -> tuple[onnx.NodeProto, str | None] | None:
    """The `Cast` of a small table whose rows are taken, and what it is multiplied by; None where it is none."""
    if any(attribute.name == "axis" and attribute.i != 0 for attribute in gather.attribute):
        return None
    maker, scale = makers.get(gather.input[0]), None
    if maker is not None and maker.op_type == "Mul":
        scales = [name for name in maker.input if name in tensors]
        wide = [name for name in maker.input if name not in tensors]
        if len(scales) != 1 or len(wide) != 1:
            return None
        scale, maker = scales[0], makers.get(wide[0])
    if maker is None or maker.op_type != "Cast" or maker.input[0] not in tensors:
        return None
    table = tensors[maker.input[0]]
    if table.data_type not in _SMALL:
        return None
    if scale is not None and len(tensors[scale].dims) not in (0, len(table.dims)):
        return None
    return maker, scale


def _rows_widened(
    gather: onnx.NodeProto, cast: onnx.NodeProto, scale: str | None, graph: onnx.GraphProto, names: Names
) -> Iterator[onnx.NodeProto]:
    output = gather.output[0]
    rows, wide = names.fresh(f"{output}.rows"), names.fresh(f"{output}.wide") if scale else output
    yield onnx.helper.make_node("Gather", [cast.input[0], gather.input[1]], [rows], name=gather.name)
    widen = onnx.NodeProto()
    widen.CopyFrom(cast)
    widen.name, widen.input[0], widen.output[0] = names.fresh(f"{output}/Cast"), rows, wide
    yield widen
    if scale is None:
        return
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    scales, table = tensors[scale], tensors[cast.input[0]]
    if scales.dims and scales.dims[0] == table.dims[0]:  # one for each row
        taken = names.fresh(f"{output}.scale")
        yield onnx.helper.make_node("Gather", [scale, gather.input[1]], [taken], name=names.fresh(f"{output}/Gather"))
        scale = taken
    elif scales.dims:  # the same for all rows, of which there may be one alone, without an axis of rows
        of_row = graph.initializer.add()
        of_row.CopyFrom(scales)
        of_row.name = scale = names.fresh(f"{output}.scale")
        del of_row.dims[0]
    yield onnx.helper.make_node("Mul", [wide, scale], [output], name=names.fresh(f"{output}/Mul"))


def _remove_unread(graph: onnx.GraphProto) -> None:
    """Removes the nodes of the outermost graph that widened a table which nobody reads any more."""
    while True:
        read = {name for scope in graphs(graph) for node in scope.node for name in node.input}
        read |= {value.name for scope in graphs(graph) for value in scope.output}
        kept = [n for n in graph.node if n.op_type not in ("Cast", "Mul") or any(name in read for name in n.output)]
        if len(kept) == len(graph.node):
            return
        del graph.node[:]
        graph.node.extend(kept)


def hold_back_small_weights(graph: onnx.GraphProto) -> set[str]:
    """Keeps small constants from being folded into wide ones.

    Those that a `Cast` reads, once a call, become inputs with a default, as what a caller may replace is not folded.
    Those read within a loop are left to be folded: there the `Cast` would run at each step. So are those that something
    reads which wants constants.

    Args:
        graph: The outermost graph; changed in place.

    Returns:
        The names of those inputs.
    """
    given = {value.name for value in graph.input}
    casts = {node.input[0] for node in graph.node if node.op_type == "Cast" and not node.domain}
    others = {value.name for value in graph.output}
    for scope in graphs(graph):
        for node in scope.node:
            harmless = node.op_type == "Gather" or (node.op_type == "Cast" and scope is graph)
            others.update(node.input[1 if harmless and not node.domain else 0 :])
    small = [
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in graph.initializer
        if tensor.data_type in _SMALL and tensor.name in casts and tensor.name not in others | given
    ]
    graph.input.extend(small)
    return {value.name for value in small}
