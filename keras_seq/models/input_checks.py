"""Checks of what goes into a model, where it can be seen: not while a graph is traced."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_seq.attention.known import known_values
from keras_seq.recurrent.cell import Tensor


def check_rank(name: str, tensor: Tensor, dims: str) -> None:
    """Checks the number of axes.

    Args:
        name: what the tensor is called in the message.
        tensor: has a `shape`.
        dims: the axes expected, such as `"batch, time"`.

    Raises:
        ValueError: for any other number.
    """
    if len(tensor.shape) != len(dims.split(", ")):
        raise ValueError(f"`{name}` must have the shape ({dims}). Received: shape {tuple(tensor.shape)}")


def check_ids(name: str, tensor: Any, vocabulary_size: int) -> None:
    """Checks that all ids are whole numbers and in the vocabulary.

    Args:
        name: what the tensor is called in the message.
        tensor: ids of any shape.
        vocabulary_size: one more than the largest id.

    Raises:
        ValueError: names the first id that is not, and where it stands.
    """
    ids = known_values(tensor)
    if ids is None or ids.size == 0:
        return
    wrong = (ids < 0) | (ids >= vocabulary_size) | (ids != np.floor(ids))
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        raise ValueError(
            f"`{name}` must hold ids, whole numbers from 0 (padding) to {vocabulary_size - 1} for a vocabulary of "
            f"{vocabulary_size}. Received: {ids[place]} at {list(place)}, {int(wrong.sum())} such in all. Map what is "
            "not in the vocabulary to the id of unknown words, or make the vocabulary larger."
        )


def check_length(name: str, tensor: Tensor, max_length: int | None, argument: str | None = None) -> None:
    """Checks the size of the time axis, where it is known.

    Args:
        name: what the tensor is called in the message.
        tensor: `(batch, time, …)`.
        max_length: the longest that is allowed; `None` for any.
        argument: what the limit is called in the message; by default `max_<name>_length`.

    Raises:
        ValueError: if it is longer than `max_length`.
    """
    length = tensor.shape[1] if max_length is not None else None
    if isinstance(length, int) and length > max_length:
        raise ValueError(
            f"`{name}` must have at most {argument or f'max_{name}_length'}={max_length} steps. Received: {length} "
            "steps. Shorten or split it, or make the model with a larger limit."
        )


def check_padding_last(name: str, tensor: Any) -> None:
    """Checks that ids 0 stand behind all others.

    Raises:
        ValueError: names the first row where they do not.
    """
    ids = known_values(tensor)
    if ids is None:
        return
    wrong = ((ids[:, :-1] == 0) & (ids[:, 1:] != 0)).any(axis=1)
    if wrong.any():
        raise ValueError(
            f"`{name}` must have its padding, the id 0, behind the tokens. Received: tokens behind padding in row "
            f"{int(np.argmax(wrong))}"
        )


def check_same_batch(**tensors: Tensor) -> None:
    """Checks that all have as many rows, where that is known.

    Raises:
        ValueError: if not.
    """
    sizes = {name: tensor.shape[0] for name, tensor in tensors.items()}
    if len({size for size in sizes.values() if size is not None}) > 1:
        received = ", ".join(f"{name}: {size}" for name, size in sizes.items())
        raise ValueError(f"There must be as many rows of one as of the other. Received rows: {received}")
