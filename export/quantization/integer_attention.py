"""`com.microsoft.Attention` with a product of integers for queries, keys and values.

ONNX Runtime's `QAttention` would be one node, but reads scales a column wrongly (seen in 1.31 and 1.32). So the
projection becomes one `DynamicQuantizeMatMul`, and what follows it standard operators, which take as long:

    q, k, v = split(x @ W + b)                 1 / sqrt(size) is in W and b of q
    softmax(q k^T + bias) v                     per head; bias hides what the mask hides, and the future
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from keras_seq.export.lowering.target import CONTRIB
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.quantization.constants import constant
from keras_seq.export.quantization.integer_product import add_integer_weight
from keras_seq.export.quantization.integer_weight import IntegerWeight

__all__ = ["integer_attention"]

_FUTURE = np.finfo("float32").min


def integer_attention(node: onnx.NodeProto, scope: onnx.GraphProto, index: GraphIndex) -> None:
    """Turns a fused attention node into an integer projection and plain operators.

    Args:
        node: An `Attention` with a constant kernel and bias, a mask or none, and no past.
        scope: Its graph.
        index: Of the model, which is changed in place.
    """
    settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    writer = _Writer(node, scope, index)
    heads, sizes = settings["num_heads"], list(settings["qkv_hidden_sizes"])
    kernel, bias = (numpy_helper.to_array(index.tensor(name)) for name in node.input[1:3])
    scale = np.ones(sum(sizes), "float32")
    scale[: sizes[0]] = 1 / np.sqrt(sizes[0] // heads)
    given = add_integer_weight(index, IntegerWeight.for_products(kernel * scale), node.input[1])
    bias_name = constant(index, (bias * scale).astype("float32"), f"{node.input[2]}.scaled")
    projected = writer.add("DynamicQuantizeMatMul", [node.input[0], *given, bias_name], domain=CONTRIB)
    parts = [index.names.fresh(f"{projected}.{part}") for part in ("query", "keys", "values")]
    index.insert(node, scope, "Split", [projected, writer.constant(np.array(sizes))], parts, axis=2)
    query, keys, values = (
        writer.add(
            "Transpose",
            [writer.add("Reshape", [part, writer.constant(np.array([0, 0, heads, size // heads]))])],
            perm=order,
        )
        for part, size, order in zip(parts, sizes, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    )
    scores = writer.add("MatMul", [query, keys])
    mask = node.input[3] if len(node.input) > 3 else ""
    hidden = writer.bias(mask, bool(settings.get("unidirectional", 0)), settings.get("mask_filter_value", -10000.0))
    if hidden:
        scores = writer.add("Add", [scores, hidden])
    context = writer.add("MatMul", [writer.add("Softmax", [scores], axis=-1), values])
    context = writer.add("Transpose", [context], perm=[0, 2, 1, 3])
    index.become(node, scope, "Reshape", [context, writer.constant(np.array([0, 0, sizes[2]]))])


@dataclass
class _Writer:
    node: onnx.NodeProto
    scope: onnx.GraphProto
    index: GraphIndex

    def add(self, op_type: str, inputs: list[str], **attributes) -> str:
        return self.index.insert(self.node, self.scope, op_type, inputs, **attributes)

    def constant(self, value: np.ndarray) -> str:
        return constant(self.index, value)

    def bias(self, mask: str, causal: bool, filtered: float) -> str:
        """What is added to the scores, as broadcasts to (batch, heads, queries, steps); empty for nothing."""
        hidden = self.constant(np.float32(0))
        if mask:
            visible = self.add("Cast", [mask], to=TensorProto.BOOL)
            hidden = self.add("Where", [visible, hidden, self.constant(np.float32(filtered))])
            axes = [1, 2] if len(self.index.shape(mask)) == 2 else [1]
            hidden = self.add("Unsqueeze", [hidden, self.constant(np.array(axes))])
        if not causal:
            return hidden if mask else ""
        count = self.add("Squeeze", [self.add("Shape", [self.node.input[0]], start=1, end=2)])
        zero, one = self.constant(np.int64(0)), self.constant(np.int64(1))
        steps = self.add("Range", [zero, count, one])
        queries = self.add("Unsqueeze", [steps, self.constant(np.array([1]))])
        past = self.add("GreaterOrEqual", [queries, steps])
        return self.add("Where", [past, hidden, self.constant(_FUTURE)])
