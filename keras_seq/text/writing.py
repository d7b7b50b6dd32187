"""From ids back to texts: with TensorFlow operations, and in Python.

`<pad>` and `<start>` are left out, and so is everything from the first `<end>` on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_seq.text.vocabulary import END_ID, PAD_ID, START_ID

if TYPE_CHECKING:
    import tensorflow as tf


def text_of_ids(ids: Any, first: Sequence[str], later: Sequence[str]) -> tf.Tensor:
    """Writes ids as texts, with TensorFlow operations.

    Args:
        ids: `(..., time)` whole numbers, or a `tf.RaggedTensor` of shape `(batch, None)`.
        first: How each token is written where nothing is before it, by id.
        later: How each token is written behind another.

    Returns:
        Strings, `(...)`.

    Raises:
        tf.errors.InvalidArgumentError: If an id is not in the vocabulary.
    """
    import tensorflow as tf

    with tf.device("CPU:0"):
        ids = tf.cast(ids.to_tensor(PAD_ID) if isinstance(ids, tf.RaggedTensor) else ids, tf.int32)
        valid = tf.reduce_all((ids >= 0) & (ids < len(first)))
        message = f"`ids` must be in the vocabulary, from 0 to {len(first) - 1}."
        check = tf.debugging.Assert(valid, [message])
        with tf.control_dependencies([check] if check is not None else []):
            ended = tf.cumsum(tf.cast(tf.equal(ids, END_ID), tf.int32), axis=-1) > 0
        written = ~(ended | tf.equal(ids, PAD_ID) | tf.equal(ids, START_ID))
        at_front = written & tf.equal(tf.cumsum(tf.cast(written, tf.int32), axis=-1), 1)
        pieces = tf.where(at_front, tf.gather(list(first), ids), tf.gather(list(later), ids))
        return tf.strings.reduce_join(tf.where(written, pieces, ""), axis=-1)


def python_text_of_ids(ids: Any, first: Sequence[str], later: Sequence[str]) -> str | list[str]:
    """Writes ids as texts, in Python.

    Args:
        ids: `(time,)` or `(batch, time)`: a tensor, an array, or lists, whose lengths may differ.
        first: How each token is written where nothing is before it, by id.
        later: How each token is written behind another.

    Returns:
        The text, or a list of them.

    Raises:
        TypeError: If they are no whole numbers.
        ValueError: If they have another rank, or are not in the vocabulary.
    """
    rows, alone = _id_rows(ids, len(first))
    texts = []
    for row in rows:
        row = row[: row.index(END_ID)] if END_ID in row else row
        row = [token for token in row if token not in (PAD_ID, START_ID)]
        texts.append("".join([first[token] for token in row[:1]] + [later[token] for token in row[1:]]))
    return texts[0] if alone else texts


def _id_rows(ids: Any, size: int) -> tuple[list[list[int]], bool]:
    """Ids as lists of Python's whole numbers, and whether there was one row alone."""
    if hasattr(ids, "to_list"):
        ids = ids.to_list()
    if not isinstance(ids, Sequence):
        ids = _as_array(ids)
    alone = len(ids) == 0 or np.ndim(ids[0]) == 0
    rows = []
    for row in [ids] if alone else ids:
        array = _as_array(row)
        if array.ndim != 1:
            raise ValueError(
                f"`ids` must be of shape (time,) or (batch, time). Received: a row of shape {array.shape}."
            )
        if array.size and not np.issubdtype(array.dtype, np.integer):
            raise TypeError(f"`ids` must be whole numbers. Received: {row!r}, of dtype {array.dtype}.")
        wrong = array[(array < 0) | (array >= size)] if array.size else array
        if wrong.size:
            raise ValueError(f"`ids` must be in the vocabulary, from 0 to {size - 1}. Received: {int(wrong[0])}.")
        rows.append([int(token) for token in array])
    return rows, alone


def _as_array(ids: Any) -> np.ndarray:
    from keras import ops

    array = np.asarray(ids) if isinstance(ids, Sequence | np.ndarray) else np.asarray(ops.convert_to_numpy(ids))
    return array if array.ndim else array.reshape(1)
