"""Lets a `Loop` count by itself.

    Loop(, c0, t0=0, h0)                               Loop(n, c0, h0)
      body(i, c, t, h):                                  body(i, c, h):
        t' = Add(t, 1)                                     h' = f(h, i)
        h' = f(h, t)                       ->              return more, h'
        return And(Less(t', n), more), t', h'

1. A state that starts at 0 and grows by 1 is the number of the iteration, which ONNX hands to the body; whoever reads
   the state reads that. Its final value is the number of values that the loop has collected. Refused where the final
   value is read, but nothing is collected: then nothing else knows it.
2. A condition that the counter has not reached a bound that stands outside becomes the loop's trip count. Let k be 1
   for a counter already raised and 0 otherwise. After iteration i the loop goes on if i + k < n, which means that
   iteration i + 1 takes place if i + 1 < n + 1 - k. The first iteration takes place if c0 says so, whatever n is. Both
   hold with the trip count max(n + 1 - k, 1), or the smaller of that and the trip count that is there; if that is n
   itself, it stays. A condition of which nothing is left is copied from the body's input to its output: bodies that
   hand an input straight on are more than some runtimes can read, OpenVINO among them.

Refused: bounds that are made in the body, counters that are no integers, other steps, `LessOrEqual`.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.loop_states import LoopStates, State
from keras_seq.export.passes.scopes import graphs

__all__ = ["loop_counters"]

_LARGEST = np.iinfo("int64").max


def loop_counters(index: GraphIndex) -> int:
    """Turns step counters into iteration numbers, and their bounds into trip counts.

    Args:
        index: Of the model, which is changed in place.

    Returns:
        How many counters and conditions were replaced.
    """
    count = 0
    for scope in list(graphs(index.graph)):
        for node in list(scope.node):
            if node.op_type == "Loop" and not node.domain:
                loop = LoopStates(node)
                count += _counters(loop, index) + _conditions(loop, scope, index)
    return count


def _counters(loop: LoopStates, index: GraphIndex) -> int:
    iteration, count = loop.body.input[0].name, 0
    for state in loop.states():
        if index.integers(state.initial) != [0] or index.tensor(state.initial).dims:
            continue
        if not _is_raised(state.after, state.before, index) or not _final_is_known(loop, state, index):
            continue
        readers = index.consumers(state.before)
        number = iteration
        if index.dtype(state.initial) == TensorProto.INT32:
            number = index.insert(loop.body.node[0], loop.body, "Cast", [iteration], to=TensorProto.INT32)
        for reader, graph in readers:
            for position, name in enumerate(reader.input):
                if name == state.before:
                    index.rewire(reader, graph, position, number)
        count += 1
    return count


def _final_is_known(loop: LoopStates, state: State, index: GraphIndex) -> bool:
    """Lets whoever reads a counter's final value read another one instead, if there is one."""
    if not state.final or not index.uses[state.final]:
        return True
    collected = [outer for _, outer in loop.scanned_outputs() if outer and index.uses[outer]]
    if not collected or state.final in index.outputs:
        return False
    dtype, name = index.dtype(state.initial), index.names.fresh(f"{state.final}/steps")
    zero = index.add_constant(np.array(0, "int64"), "first")
    for op_type, source, made in (("Cast", "count", ""), ("Gather", "sizes", "count"), ("Shape", "", "sizes")):
        inputs = [f"{name}/{source}" if source else collected[0], *([zero] if op_type == "Gather" else [])]
        attributes = {"to": dtype} if op_type == "Cast" else {}
        index.insert_after(collected[0], op_type, inputs, [f"{name}/{made}" if made else name], **attributes)
    for reader, graph in index.consumers(state.final):
        for position, read in enumerate(reader.input):
            if read == state.final:
                index.rewire(reader, graph, position, name)
    return True


def _is_raised(name: str, by_one: str, index: GraphIndex) -> bool:
    """Whether a value is another one, plus 1."""
    node = index.producer(name, "Add", "Identity")
    while node is not None and node.op_type == "Identity":
        node = index.producer(node.input[0], "Add", "Identity")
    if node is None or index.dtype(by_one) not in (TensorProto.INT32, TensorProto.INT64):
        return False
    return any(node.input[i] == by_one and index.integers(node.input[1 - i]) == [1] for i in (0, 1))


def _conditions(loop: LoopStates, scope: onnx.GraphProto, index: GraphIndex) -> int:
    condition = loop.body.output[0].name
    conjuncts = _conjuncts(condition, index)
    bounded = [(c, *found) for c in conjuncts if (found := _bound(c, loop, index))]
    if not bounded:
        return 0
    dropped = {conjunct for conjunct, _, _ in bounded}
    kept = [c for c in conjuncts if c not in dropped]
    for _, bound, raised in bounded:
        trips = _trip_count(loop.node, scope, bound, raised, index)
        index.rewire(loop.node, scope, 0, trips)
    if not kept:
        kept = [loop.body.input[1].name]
    value = kept[0]
    for other in kept[1:]:
        value = _add_at_end(loop.body, "And", [value, other], index)
    if value in index.outputs or value == loop.body.input[1].name or index.homes.get(value, loop.body) is not loop.body:
        value = _add_at_end(loop.body, "Identity", [value], index)
    loop.body.output[0].name = value
    return len(bounded)


def _add_at_end(graph: onnx.GraphProto, op_type: str, inputs: list[str], index: GraphIndex) -> str:
    output = index.names.fresh(f"{inputs[0]}/{op_type}")
    graph.node.append(onnx.helper.make_node(op_type, inputs, [output], name=output))
    return output


def _conjuncts(name: str, index: GraphIndex) -> list[str]:
    """What must all be true for a value to be true."""
    node = index.producer(name, "And", "Identity")
    if node is None or any(index.shape(part) != () for part in node.input):
        return [name]
    return [conjunct for part in node.input for conjunct in _conjuncts(part, index)]


def _bound(name: str, loop: LoopStates, index: GraphIndex) -> tuple[str, bool] | None:
    """The bound n of a condition i < n or i + 1 < n, and whether it was the latter; None if it is another one."""
    node = index.producer(name, "Less", "Greater")
    if node is None:
        return None
    counter, bound = node.input if node.op_type == "Less" else reversed(node.input)
    home = index.homes.get(bound)
    inside = {id(scope) for scope in graphs(loop.body)}
    if home is None or id(home) in inside or index.shape(bound) not in ((), (1,)):
        return None
    if index.dtype(bound) not in (TensorProto.INT32, TensorProto.INT64):
        return None
    iteration = loop.body.input[0].name
    if _without_casts(counter, index) == iteration:
        return bound, False
    states = {
        s.before: s for s in loop.states() if index.integers(s.initial) == [0] and _is_raised(s.after, s.before, index)
    }
    if counter in states:
        return bound, False
    node = index.producer(counter, "Add")
    for i in (0, 1) if node is not None else ():
        raised = node.input[i]
        if index.integers(node.input[1 - i]) == [1] and (
            raised in states or _without_casts(raised, index) == iteration
        ):
            return bound, True
    return None


def _without_casts(name: str, index: GraphIndex) -> str:
    """What a value was before conversions between types of integers."""
    node = index.producer(name, "Cast", "Identity")
    while node is not None and index.dtype(node.input[0]) in (TensorProto.INT32, TensorProto.INT64):
        name = node.input[0]
        node = index.producer(name, "Cast", "Identity")
    return name


def _trip_count(node: onnx.NodeProto, scope: onnx.GraphProto, bound: str, raised: bool, index: GraphIndex) -> str:
    """The name of the trip count that a loop has with the bound in place."""
    given = node.input[0]
    if given and _without_casts(given, index) == _without_casts(bound, index):
        return given
    constant, present = index.integers(bound), index.integers(given) if given else [_LARGEST]
    if constant is not None and present is not None:
        trips = min(max(constant[0] + (not raised), 1), present[0])
        return index.add_constant(np.array(trips, "int64"), f"{bound}/trips")

    def add(op_type: str, inputs: list[str], **attributes) -> str:
        return index.insert(node, scope, op_type, inputs, **attributes)

    one = index.add_constant(np.array(1, "int64"), "one")
    trips = add("Cast", [bound], to=TensorProto.INT64)
    if not raised:
        trips = add("Add", [trips, one])
    trips = add("Max", [trips, one])
    if index.shape(bound) == (1,):
        trips = add("Reshape", [trips, index.add_constant(np.zeros(0, "int64"), "scalar")])
    return add("Min", [trips, given]) if given else trips
