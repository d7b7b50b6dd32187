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
        texts = _constant(texts)
    if isinstance(texts, tf.RaggedTensor | tf.SparseTensor) or (texts.shape.rank or 0) > 1:
        raise _shape_error(texts)
    if texts.dtype != tf.string:
        raise TypeError(f"Texts must be strings. Received: a tensor of dtype {texts.dtype.name}.")
    return tf.ensure_shape(texts, (None,)) if texts.shape.rank is None else texts


def text_batch(texts: Any) -> tf.Tensor:
    """`text_tensor` of shape `(batch,)`: one text alone is a batch of one."""
    texts = text_tensor(texts)
    return texts if texts.shape.rank else texts[None]


def _constant(texts: Any) -> tf.Tensor:
    import tensorflow as tf

    if isinstance(texts, str | bytes):
        return tf.constant(_as_bytes(texts))
    if isinstance(texts, Sequence):
        return tf.constant([_as_bytes(text) for text in texts], tf.string)
    if not hasattr(texts, "__array__"):
        raise TypeError(f"Texts must be strings, or a sequence of them. Received: {texts!r} of type {type(texts)}.")
    array = np.asarray(texts)
    if array.ndim > 1:
        raise _shape_error(array)
    return _constant(array.tolist())


def _shape_error(texts: Any) -> ValueError:
    return ValueError(
        "Texts must be one string, or have the shape (batch,): one string for each example, as with "
        f'`keras.Input((), dtype="string")`. Received: shape={tuple(texts.shape)}.'
    )


def _as_bytes(text: Any) -> bytes:
    if isinstance(text, bytes):
        return bytes(text)
    if isinstance(text, str):
        return _SURROGATE.sub("\ufffd", text).encode()
    raise TypeError(f"Texts must be strings. Received: {text!r} of type {type(text)}.")
