"""Rows of differing lengths as one array, and batches of rows alike in length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def pad(rows: Sequence[np.ndarray], more: int = 0) -> np.ndarray:
    """Stacks rows of ids of differing lengths, zeros at the end.

    Args:
        rows: One array of ids a row.
        more: How many further columns of zeros to add.

    Returns:
        int32 `(rows, longest + more)`.

    Example:
        >>> pad([np.array([7]), np.array([4, 5])]).tolist()
        [[7, 0], [4, 5]]
    """
    padded = np.zeros((len(rows), max(map(len, rows)) + more), "int32")
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded


def batches_in_order(order: Sequence[int], size: int) -> list[np.ndarray]:
    """Cuts an order of examples into batches; the last one may be smaller.

    Example:
        >>> [batch.tolist() for batch in batches_in_order([4, 2, 0], 2)]
        [[4, 2], [0]]
    """
    return [np.asarray(order[start : start + size]) for start in range(0, len(order), size)]
