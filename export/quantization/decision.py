"""What becomes of one weight of a graph when it is quantised."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["FLOAT", "HALF", "INTEGER", "STORED", "Decision"]

INTEGER = "int8"
"""Products of 8-bit integers: weights as they are stored, activations as they come."""
STORED = "int8 weights"
"""Stored in 8 bits, float32 again as soon as the graph is loaded."""
HALF = "fp16 weights"
"""Stored in 16 bits, float32 again as soon as the graph is loaded."""
FLOAT = "float"
"""As it was."""


@dataclass(frozen=True)
class Decision:
    """What becomes of the weights of one node.

    Attributes:
        layer: The layer that the weights are of.
        operator: What the node was: `"LSTM"`, `"MatMul"`, …
        form: `"int8"`, `"int8 weights"`, `"fp16 weights"` or `"float"`.
        reason: Why so, in one line.
        elements: How many numbers the weights have.
    """

    layer: str
    operator: str
    form: str
    reason: str
    elements: int

    def to_dict(self) -> dict:
        """As the manifest holds it."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.layer} ({self.operator}, {self.elements:,} weights): {self.form}, {self.reason}"
