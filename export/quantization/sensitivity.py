"""Which layers the outputs depend on most: each quantised alone, all others in float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from keras_seq.export.quantization.subject import Subject

__all__ = ["Sensitivity", "sensitivities"]

_ROWS = 128
"""Sequences that each layer is tried on; a ranking needs fewer than a score."""


@dataclass(frozen=True)
class Sensitivity:
    """What quantising one layer alone does to a graph's outputs.

    Attributes:
        layer: The layer.
        elements: How many numbers its weights have.
        relative_diff: The mean difference of the outputs in parts of their mean size; of several outputs the largest.
        max_abs_diff: The largest difference.
        agreement: The share of answers that stay the same; of several outputs the smallest. None where none decides.
    """

    layer: str
    elements: int
    relative_diff: float
    max_abs_diff: float
    agreement: float | None

    def to_dict(self) -> dict:
        """As the manifest holds it."""
        return asdict(self)

    def __str__(self) -> str:
        same = "" if self.agreement is None else f", {self.agreement:.2%} of answers the same"
        return f"{self.layer}: outputs move by {self.relative_diff:.3%}, {self.max_abs_diff:.1e} at most{same}"


def sensitivities(subject: Subject, bits: int, say: Callable[[str], None]) -> list[Sensitivity]:
    """Tries each layer of a graph alone.

    Args:
        subject: The graph.
        bits: 8 or 16.
        say: Called with a line for each layer.

    Returns:
        The layer that the outputs depend on most first.
    """
    small = subject.first(_ROWS)
    found, layers = [], small.layers(bits)
    for number, (layer, elements) in enumerate(layers.items(), 1):
        say(f"how much layer {layer} matters ({number} of {len(layers)})")
        rows = small.quantized(bits, lambda one, layer=layer: one == layer).accuracies
        agreements = [row.agreement for row in rows if row.agreement is not None]
        found.append(
            Sensitivity(
                layer,
                elements,
                max(row.relative_diff for row in rows),
                max(row.max_abs_diff for row in rows),
                min(agreements, default=None),
            )
        )
    return sorted(found, key=lambda row: row.relative_diff, reverse=True)
