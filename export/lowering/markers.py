"""Carries ONNX nodes through the tracing.

TensorFlow has no operations that the converter would turn into native recurrent nodes, or into `GatherND` and `TopK` as
we want them. So the traced graph gets a marker, a stateless `tf.numpy_function` that is never run, and a handler of the
converter replaces the marker by the nodes it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx
import tensorflow as tf

from keras_seq.export.lowering.target import CONTRIB, Target

if TYPE_CHECKING:
    from keras_seq.export.lowering.attention_form import AttentionForm

__all__ = ["Emit", "GraphWriter", "Markers"]


class GraphWriter:
    """Adds ONNX nodes to a graph under conversion."""

    def __init__(self, ctx, scope: str) -> None:
        self._ctx = ctx
        self._scope = scope

    def node(self, op_type: str, inputs: Sequence[str], num_outputs: int = 1, **attributes) -> list[str]:
        """Adds a node; an empty name leaves an optional input out. Returns the names of its outputs."""
        return self._add(op_type, inputs, attributes, output_count=num_outputs)

    def _add(self, op_type: str, inputs: Sequence[str], attributes: dict, **placed) -> list[str]:
        inputs = list(inputs)
        while inputs and not inputs[-1]:
            inputs.pop()
        return list(self._ctx.make_node(op_type, inputs, attr=attributes, op_name_scope=self._scope, **placed).output)

    def contrib(self, op_type: str, inputs: Sequence[str], shapes: Sequence[Sequence], **attributes) -> list[str]:
        """Adds a node of ONNX Runtime's own, which computes float32.

        Args:
            op_type: In the domain `com.microsoft`.
            inputs: As in `node`.
            shapes: Of each output, None for what is dynamic: the standard has no inference for such nodes.
            attributes: Of the node.
        """
        known = [[-1 if size is None else size for size in shape] for shape in shapes]
        types = [onnx.TensorProto.FLOAT] * len(known)
        placed = {"domain": CONTRIB, "shapes": known, "dtypes": types, "output_count": len(known)}
        return self._add(op_type, inputs, attributes, **placed)

    def constant(self, value: np.ndarray, name: str = "constant") -> str:
        """The name of a constant; the same value under the same name is kept once."""
        value, unique = np.asarray(value), name
        existing = self._ctx.get_node_by_name(unique)
        while existing is not None:
            kept = existing.get_tensor_value(as_list=False)
            if kept.dtype == value.dtype and np.array_equal(kept, value):
                return existing.output[0]
            unique += "'"
            existing = self._ctx.get_node_by_name(unique)
        return self._ctx.make_const(unique, value).output[0]


Emit = Callable[[GraphWriter, list[str]], list[str]]
"""Writes the nodes that a marker stands for: takes the names of its inputs, returns those of its outputs."""


class Markers:
    """The markers of one tracing, and the handlers that resolve them.

    Args:
        target: What the graph is written for.

    Attributes:
        forms: What each attention layer became where it was called first, by the layer's id.
    """

    def __init__(self, target: Target | None = None) -> None:
        self.target = target or Target()
        self.forms: dict[int, AttentionForm] = {}
        self._emitters: dict[str, Emit] = {}

    def place(
        self, emit: Emit, inputs: Sequence[tf.Tensor], outputs: Sequence[tuple[tf.DType, Sequence]]
    ) -> list[tf.Tensor]:
        """Puts a marker into the graph being traced.

        Args:
            emit: Writes the ONNX nodes when the graph is converted.
            inputs: Tensors.
            outputs: For each output its dtype and static shape.

        Returns:
            The outputs.
        """

        def never_run(*_):
            raise RuntimeError("an export marker was executed; it only stands for ONNX nodes while tracing")

        results = tf.numpy_function(never_run, list(inputs), [dtype for dtype, _ in outputs], stateful=False)
        self._emitters[results[0].op.get_attr("token").decode()] = emit
        # An operation rather than set_shape: the shapes must survive the trip through a GraphDef.
        return [tf.ensure_shape(result, shape) for result, (_, shape) in zip(results, outputs, strict=True)]

    def handlers(self) -> dict:
        """The `custom_op_handlers` of `tf2onnx.convert.from_function`."""
        return {
            "PyFuncStateless": (self._resolve, []),
            "Erfc": (_erfc, []),
            "ReverseV2": (_reverse, []),
            "SelectV2": (_select, []),
        }

    def _resolve(self, ctx, node, name, args) -> None:
        token = node.get_attr_value("token")
        emit = self._emitters[token.decode() if isinstance(token, bytes) else token]
        inputs, outputs = list(node.input), list(node.output)
        ctx.remove_node(node.name)
        for written, wanted in zip(emit(GraphWriter(ctx, node.name), inputs), outputs, strict=True):
            ctx.replace_all_inputs(wanted, written)


def _rewritten(ctx, node) -> tuple[GraphWriter, list[str], dict]:
    """Removes a node; returns what is needed to write others in its place."""
    inputs, outputs = list(node.input), list(node.output)
    kept = {
        "outputs": outputs,
        "shapes": [ctx.get_shape(output) for output in outputs],
        "dtypes": [ctx.get_dtype(output) for output in outputs],
        "name": node.name,
    }
    ctx.remove_node(node.name)
    return GraphWriter(ctx, node.name), inputs, kept


def _select(ctx, node, name, args) -> None:
    """`tf.where` as `Where`: the converter's own form multiplies, so a NaN in the branch not taken would spread."""
    _, inputs, kept = _rewritten(ctx, node)
    ctx.make_node("Where", inputs, **kept)


def _reverse(ctx, node, name, args) -> None:
    """`tf.reverse` as `Slice` with a step of -1: the converter's own form takes seven nodes."""
    axes = np.asarray(node.inputs[1].get_tensor_value(as_list=False), "int64")
    writer, inputs, kept = _rewritten(ctx, node)
    starts, ends = np.full_like(axes, -1), np.full_like(axes, np.iinfo("int64").min)
    bounds = [writer.constant(value, f"reverse_{axes.tolist()}") for value in (starts, ends, axes, starts)]
    ctx.make_node("Slice", [inputs[0], *bounds], **kept)


def _erfc(ctx, node, name, args) -> None:
    """`erfc(x)` as `1 - erf(x)`: exact GELU is traced to it, and the converter knows `Erf` only."""
    writer, inputs, kept = _rewritten(ctx, node)
    (erf,) = writer.node("Erf", inputs)
    ctx.make_node("Sub", [writer.constant(np.float32(1), "one_float"), erf], **kept)
