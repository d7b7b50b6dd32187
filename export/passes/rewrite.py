"""Applies local rules to every node of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.scopes import graphs

__all__ = ["Rule", "rewrite"]

Rule = Callable[[onnx.NodeProto, onnx.GraphProto, GraphIndex], bool]
"""Looks at one node of a graph; either changes it and says True, or leaves everything as it is and says False.

A rule changes a node into another one with the same outputs, at most with new nodes in front. It removes nothing: what
nobody reads afterwards is left to `dead_code`, and a node that has become needless turns into an `Identity`.
"""


def rewrite(index: GraphIndex, rules: Sequence[Rule]) -> int:
    """Applies rules wherever they fit, each node once a rule.

    Args:
        index: Of the model, which is changed in place.
        rules: Tried in order at each node, producers before their readers.

    Returns:
        How often a rule fitted.
    """
    count = 0
    for scope in graphs(index.graph):
        for node in list(scope.node):
            if not node.domain:
                count += sum(rule(node, scope, index) for rule in rules)
    return count
