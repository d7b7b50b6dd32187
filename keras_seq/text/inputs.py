"""From what a user has to a tensor of strings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

_SURROGATE = re.compile("[\ud800-\udfff]")


def text_tensor(texts: Any) -> tf.Tensor:
    """Turns texts into a string tensor.

    Args:
        texts: One text or a sequence of them, of `str` or `bytes`; a NumPy array; or a string tensor. Each surrogate of
            a `str`, which UTF-8 cannot spell, becomes U+FFFD.

    Returns:
        A string tensor of shape `()` or `(batch,)`.

    Raises:
        TypeError: If they are no strings.
        ValueError: If they have another shape.
    """
    import tensorflow as tf

    if not tf.is_tensor(texts):
        array = texts if isinstance(texts, np.ndarray) else None
        if isinstance(texts, str | bytes) or (array is not None and array.ndim == 0):
            texts = tf.constant(_as_bytes(texts.item() if array is not None else texts))
        elif isinstance(texts, Sequence) or (array is not None and array.ndim == 1):
            texts = tf.constant([_as_bytes(text) for text in texts], tf.string)
        elif array is None:
            raise TypeError(f"Texts must be strings, or a sequence of them. Received: {texts!r} of type {type(texts)}.")
    if isinstance(texts, tf.RaggedTensor | tf.SparseTensor) or len(texts.shape) > 1:
        raise ValueError(
            "Texts must be one string, or have the shape (batch,): one string for each example, as with "
            f'`keras.Input((), dtype="string")`. Received: shape={tuple(texts.shape)}.'
        )
    if texts.dtype != tf.string:
        raise TypeError(f"Texts must be strings. Received: a tensor of dtype {texts.dtype.name}.")
    return texts


def _as_bytes(text: Any) -> bytes:
    if isinstance(text, bytes):
        return bytes(text)
    if isinstance(text, str):
        return _SURROGATE.sub("\ufffd", text).encode()
    raise TypeError(f"Texts must be strings. Received: {text!r} of type {type(text)}.")
