"""The states of a `Loop` or `Scan` under one set of names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import onnx

from keras_seq.export.passes.scopes import subgraphs

__all__ = ["LoopStates", "State"]


@dataclass(frozen=True)
class State:
    """One state: four names for what is one value at four moments.

    Attributes:
        position: Among the states.
        initial: The value before the first iteration; defined outside.
        before: At the start of an iteration: an input of the body.
        after: At the end of an iteration: an output of the body.
        final: After the last iteration, outside; empty if the node does not give it out.
    """

    position: int
    initial: str
    before: str
    after: str
    final: str


class LoopStates:
    """Reads and removes the states of a `Loop` or a `Scan`.

    Args:
        node: The `Loop` or `Scan`.
    """

    def __init__(self, node: onnx.NodeProto) -> None:
        self.node = node
        (self.body,) = subgraphs(node)
        # A Loop's trip count and condition come before the states; a Scan's inputs to scan come after them.
        self._first_input = 2 if node.op_type == "Loop" else 0
        self._first_output = 1 if node.op_type == "Loop" else 0
        scanned = sum(a.i for a in node.attribute if a.name == "num_scan_inputs")
        self.count = len(self.body.input) - self._first_input - scanned

    @staticmethod
    def applies_to(node: onnx.NodeProto) -> bool:
        """Whether a node is a `Loop` or a `Scan`."""
        return node.op_type in ("Loop", "Scan") and not node.domain

    def states(self) -> list[State]:
        """All states, in order."""
        return [
            State(
                i,
                self.node.input[self._first_input + i],
                self.body.input[self._first_input + i].name,
                self.body.output[self._first_output + i].name,
                self.node.output[i] if i < len(self.node.output) else "",
            )
            for i in range(self.count)
        ]

    def scanned_outputs(self) -> list[tuple[str, str]]:
        """The outputs that collect a value of each iteration: the value's name in the body, and outside."""
        inner = [value.name for value in self.body.output[self._first_output + self.count :]]
        outer = [*self.node.output[self.count :]]
        return list(zip(inner, outer + [""] * (len(inner) - len(outer)), strict=True))

    def remove_states(self, positions: Collection[int]) -> None:
        """Removes states; nothing may read them any more."""
        for i in sorted(positions, reverse=True):
            del self.node.input[self._first_input + i]
            del self.body.input[self._first_input + i]
            del self.body.output[self._first_output + i]
            if i < len(self.node.output):
                del self.node.output[i]
        self.count -= len(positions)

    def remove_scanned_outputs(self, positions: Collection[int]) -> None:
        """Removes collected outputs, by their position among those."""
        for i in sorted(positions, reverse=True):
            del self.body.output[self._first_output + self.count + i]
            if self.count + i < len(self.node.output):
                del self.node.output[self.count + i]
            for attribute in self.node.attribute:
                if attribute.name in ("scan_output_axes", "scan_output_directions") and i < len(attribute.ints):
                    del attribute.ints[i]
