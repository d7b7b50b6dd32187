"""Weights as 8-bit integers with a scale for each output."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["IntegerWeight"]

_LARGEST = 127
_SMALLEST_SCALE = 1e-20  # of outputs whose weights are all zero


@dataclass(frozen=True)
class IntegerWeight:
    """A float weight as `values * scales`, symmetric about zero.

    Attributes:
        values: int8, in the shape of the weight.
        scales: float32, with one entry where a scale is shared.
    """

    values: np.ndarray
    scales: np.ndarray

    @classmethod
    def for_products(cls, weight: np.ndarray) -> IntegerWeight:
        """For products of 8-bit integers, a scale a column, exact on every processor.

        Processors with AVX2 or AVX-512 but no VNNI multiply bytes in pairs of rows and keep each sum of two products in
        16 bits, where it is clipped: an activation is at most 255, so two weights of a column that stand in rows 2 k
        and 2 k + 1 must not add up to more than 128. ONNX Runtime's own way (`reduce_range`) is weights of 7 bits.
        Here a column's scale grows only as far as its worst pair needs, which is rarely far: large weights seldom meet.

        Args:
            weight: (inputs, outputs), float32.

        Returns:
            `values` (inputs, outputs), `scales` (1, outputs).
        """
        rows = np.pad(weight, ((0, len(weight) % 2), (0, 0))).reshape(-1, 2, weight.shape[1])
        pairs = [np.maximum(sign * rows, 0).sum(axis=1).max(axis=0, initial=0) for sign in (1, -1)]
        largest = np.maximum.reduce([np.abs(weight).max(axis=0, initial=0), *pairs])
        return cls._of(weight, largest[None])

    @classmethod
    def for_storage(cls, weight: np.ndarray, axis: int | tuple[int, ...]) -> IntegerWeight:
        """For weights that are made float again before they are used.

        Args:
            weight: Of any shape, float32.
            axis: The axes that share a scale.

        Returns:
            `values` of the weight's shape; `scales` broadcasts to it.
        """
        return cls._of(weight, np.abs(weight).max(axis=axis, keepdims=True, initial=0))

    @classmethod
    def _of(cls, weight: np.ndarray, largest: np.ndarray) -> IntegerWeight:
        scales = np.maximum(largest / _LARGEST, _SMALLEST_SCALE).astype("float32")
        values = np.clip(np.rint(weight / scales), -_LARGEST, _LARGEST).astype("int8")
        return cls(values, scales)

    def as_float(self) -> np.ndarray:
        """The weight that the integers stand for."""
        return self.values * self.scales
