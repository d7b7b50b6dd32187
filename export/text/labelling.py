"""From the scores of classes to the labels of the best, in the graph."""

from __future__ import annotations

import onnx

from keras_seq.export.text.label_output import LabelOutput
from keras_seq.export.text.nodes import Nodes

__all__ = ["label"]


def label(nodes: Nodes, output: LabelOutput, ids: str | None = None) -> str:
    """Scores `(..., classes)` into the labels `(...)` of the largest.

    Args:
        nodes: Takes the nodes.
        output: The labels, and which scores they are of.
        ids: Name of the ids that the scores `(batch, time, classes)` belong to, as `output` has it: padding, 0, has
            the label "". None for scores of something else.
    """
    scores = output.scores.name
    if output.single:
        second = nodes.add("Greater", scores, nodes.constant(0.5, output.scores.dtype))
        best = nodes.add("Squeeze", nodes.add("Cast", second, to=onnx.TensorProto.INT64), nodes.constant([-1], "int64"))
    else:
        best = nodes.add("ArgMax", scores, axis=-1, keepdims=0)
    if ids is None:
        return nodes.add("Gather", nodes.constant(output.labels), best, output=output.name)
    named = nodes.add("Gather", nodes.constant(output.labels), best)
    if output.several:
        ids = nodes.add("Gather", ids, nodes.constant(0, "int64"), axis=2)
    is_token = nodes.add("Cast", ids, to=onnx.TensorProto.BOOL)
    return nodes.add("Where", is_token, named, nodes.constant(""), output=output.name)
