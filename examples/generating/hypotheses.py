"""Generates for many sources, those alike in length together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from generating.padding import batches_in_order

Result = TypeVar("Result")


def generate_all(
    generate: Callable[[list[np.ndarray]], Sequence[Result]], sources: Sequence[np.ndarray], batch_size: int = 64
) -> list[Result]:
    """Generates for many sources, in batches of similar lengths, so that little is padding.

    Args:
        generate: From a list of rows of ids to one result a row, such as `keras_seq.serving.Generator.generate`.
        sources: The ids of each source.
        batch_size: How many at a time.

    Returns:
        The results, in the order of the sources.

    Example:
        >>> generate_all(lambda rows: [len(row) for row in rows], [np.array([7, 1]), np.array([3])], batch_size=1)
        [2, 1]
    """
    results: list[Result | None] = [None] * len(sources)
    order = np.argsort([len(source) for source in sources], kind="stable")
    for batch in batches_in_order(order, batch_size):
        for index, result in zip(batch, generate([sources[index] for index in batch]), strict=True):
            results[index] = result
    return results
