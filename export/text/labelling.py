"""From the scores of classes to the labels of the best, in the graph."""

from __future__ import annotations

import onnx

from keras_seq.export.text.nodes import Nodes

__all__ = ["label"]


def label(nodes: Nodes, scores: str, labels: list[str], output: str, ids: str | None = None) -> str:
    """Scores `(..., classes)` into the labels `(...)` of the largest.

    Args:
        nodes: Takes the nodes.
        scores: Name of the scores, or probabilities.
        labels: One a class.
        output: Name of the labels.
        ids: Name of the ids `(batch, time)` that the scores `(batch, time, classes)` belong to: padding, 0, has the
            label "". None for scores of something else.
    """
    best = nodes.add("ArgMax", scores, axis=-1, keepdims=0)
    if ids is None:
        return nodes.add("Gather", nodes.constant(labels), best, output=output)
    named = nodes.add("Gather", nodes.constant(labels), best)
    is_token = nodes.add("Cast", ids, to=onnx.TensorProto.BOOL)
    return nodes.add("Where", is_token, named, nodes.constant(""), output=output)
