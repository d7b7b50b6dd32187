"""What the layers that know positions share."""

from typing import Any

import numpy as np
from keras import ops

from keras_seq.attention.known import axis_size
from keras_seq.recurrent.cell import Tensor


def positions_of(inputs: Tensor, positions: Tensor | None, axis: int) -> Tensor:
    """The positions given, or 0, 1, 2, … along an axis of the inputs, `(steps,)`."""
    if positions is not None:
        return ops.convert_to_tensor(positions)
    return ops.arange(axis_size(inputs, axis), dtype="int32")


def inverse_wavelengths(size: int, base: float) -> np.ndarray:
    """base^(-2i / size) for i = 0, 1, …, size / 2 - 1: radians a step for each pair of features."""
    return (base ** (-np.arange(0, size, 2) / size)).astype("float32")


def check_base(base: Any) -> float:
    """The base as a number.

    Raises:
        ValueError: if it is not above 1.
    """
    if not base > 1:
        raise ValueError(f"`base` must be above 1. Received: base={base!r}")
    return float(base)
