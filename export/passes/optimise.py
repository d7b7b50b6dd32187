"""Runs all passes until none finds anything to do."""

from __future__ import annotations

from collections import Counter

import onnx

from keras_seq.export.passes.casts import CAST_RULES
from keras_seq.export.passes.constant_folding import constant_folding
from keras_seq.export.passes.dead_code import dead_code
from keras_seq.export.passes.duplicates import duplicates
from keras_seq.export.passes.flattened_products import PRODUCT_RULES
from keras_seq.export.passes.gelus import GELU_RULES, PORTABLE_GELU_RULES
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.identities import identities
from keras_seq.export.passes.integer_widths import integer_widths
from keras_seq.export.passes.interpolations import INTERPOLATION_RULES
from keras_seq.export.passes.logic import LOGIC_RULES
from keras_seq.export.passes.loop_counters import loop_counters
from keras_seq.export.passes.loop_invariants import loop_invariants
from keras_seq.export.passes.loop_motion import loop_motion
from keras_seq.export.passes.loop_projections import loop_projections
from keras_seq.export.passes.merge_products import merge_products
from keras_seq.export.passes.outer_constants import outer_constants
from keras_seq.export.passes.rewrite import rewrite
from keras_seq.export.passes.scopes import graphs
from keras_seq.export.passes.shapes import SHAPE_RULES
from keras_seq.export.passes.splits import splits
from keras_seq.export.passes.unique_names import unique_names

__all__ = ["optimise"]

_OLDEST_OPSET = 13
_MOST_ROUNDS = 50
_RULES = (*CAST_RULES, *LOGIC_RULES, *SHAPE_RULES, *PRODUCT_RULES, *INTERPOLATION_RULES)
_INDEXED = {
    "loop_counters": loop_counters,
    "integer_widths": integer_widths,
    "loop_projections": loop_projections,
    "merge_products": merge_products,
    "splits": splits,
    "constant_folding": constant_folding,
}


def optimise(proto: onnx.ModelProto, portable: bool = False) -> dict[str, int]:
    """Simplifies a converted model, without changing what it computes.

    What a converter writes for a loop costs up to twice the time of what one would write by hand. Each pass takes out
    one kind of difference; the file of each says what it does, why that is right, and what it leaves alone. Inputs and
    outputs keep their names, types and order, and inputs with a default keep it.

    Args:
        proto: The model, at opset 13 or newer; changed in place.
        portable: Whether to keep to standard operators, without those that ONNX Runtime has beside them.

    Returns:
        How often each pass found something, by its name; passes that found nothing are left out.

    Raises:
        ValueError: The model's opset is older than 13.

    Example:
        >>> from onnx import parser
        >>> model = parser.parse_model('''
        ...     <ir_version: 8, opset_import: ["" : 18]>
        ...     negated (bool[n] x) => (bool[n] y) { a = Not(x)  b = Not(a)  y = Not(b) }
        ... ''')
        >>> optimise(model)
        {'identities': 1, 'dead_code': 1, 'simplify': 1}
        >>> [node.op_type for node in model.graph.node]
        ['Not']
    """
    opset = next((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset < _OLDEST_OPSET:
        raise ValueError(f"the model must be at opset {_OLDEST_OPSET} or newer to be optimised. Received: {opset}.")
    graph = proto.graph
    rules = (*_RULES, *(PORTABLE_GELU_RULES if portable else GELU_RULES))
    passes = {"simplify": lambda index: rewrite(index, rules), **_INDEXED}
    counts = Counter(unique_names=unique_names(graph))
    for _ in range(_MOST_ROUNDS):
        found = Counter(
            outer_constants=outer_constants(graph),
            loop_invariants=loop_invariants(graph),
            identities=identities(graph),
            duplicates=duplicates(graph),
        )
        found["dead_code"] += dead_code(graph)
        index = GraphIndex(proto)
        for name, apply in passes.items():
            count = apply(index)
            if count:
                found[name] += count
                found["identities"] += identities(graph)
                found["dead_code"] += dead_code(graph)
                index = GraphIndex(proto)
        found["loop_motion"] += loop_motion(graph, {name: index.dtype(name) for name in index.homes})
        counts += found
        if not found.total():
            break
    for scope in graphs(graph):
        del scope.value_info[:]  # of values that are gone, or of another type now
    return {name: count for name, count in counts.items() if count}
