"""What a tokenizer takes: checks and conversions."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

_SURROGATE = re.compile("[\ud800-\udfff]")


def import_for_text(name: str) -> ModuleType:
    """Imports TensorFlow or tensorflow-text.

    Args:
        name: `"tensorflow"` or `"tensorflow_text"`.

    Returns:
        The module.

    Raises:
        ImportError: If it is not installed, with the line that installs it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ImportError(
            f"Tokenizers need {name.replace('_', '-')}, which is not installed. "
            "Install it with: pip install 'keras_seq[text]'",
            name=name,
        ) from error


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
    tf = import_for_text("tensorflow")
    if not tf.is_tensor(texts):
        array = texts if isinstance(texts, np.ndarray) else None
        if isinstance(texts, str | bytes) or (array is not None and array.ndim == 0):
            texts = tf.constant(_as_bytes(texts.item() if array is not None else texts))
        elif isinstance(texts, Sequence) or (array is not None and array.ndim == 1):
            texts = tf.constant([_as_bytes(text) for text in texts], tf.string)
        elif array is None:
            raise TypeError(f"Texts must be strings, or a sequence of them. Received: {texts!r} of type {type(texts)}.")
    if isinstance(texts, tf.RaggedTensor | tf.SparseTensor) or texts.shape.rank not in (None, 0, 1):
        raise ValueError(
            "Texts must be one string, or have the shape (batch,): one string for each example, as with "
            f'`keras.Input((), dtype="string")`. Received: shape={tuple(texts.shape)}.'
        )
    if texts.dtype != tf.string:
        raise TypeError(f"Texts must be strings. Received: a tensor of dtype {texts.dtype.name}.")
    return texts


def id_rows(ids: Any, size: int) -> tuple[list[list[int]], bool]:
    """Turns ids into lists of Python's whole numbers.

    Args:
        ids: `(time,)` or `(batch, time)`: a tensor, an array, a ragged tensor, or lists, whose lengths may differ.
        size: The vocabulary's size, which no id may reach.

    Returns:
        The rows, and whether there was one alone.

    Raises:
        TypeError: If they are no whole numbers.
        ValueError: If they have another rank, or are not in the vocabulary.
    """
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


def check_flag(name: str, value: Any) -> bool:
    """Gives back `value`, which must be true or false.

    Raises:
        TypeError: If it is neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"`{name}` must be True or False. Received: {name}={value!r}.")
    return bool(value)


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Gives back `value`, which must be one of `choices`.

    Raises:
        ValueError: If it is not.
    """
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {list(choices)}. Received: {name}={value!r}.")
    return value


def check_count(name: str, value: Any, least: int = 1) -> int:
    """Gives back `value`, which must be a whole number not below `least`.

    Raises:
        ValueError: If it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"`{name}` must be a whole number of at least {least}. Received: {name}={value!r}.")
    return int(value)


def reject_text_alone(lines: Any) -> None:
    """Refuses a text where an iterable of texts is wanted: it would be taken apart into letters.

    Raises:
        TypeError: If it is one, or cannot be iterated over.
    """
    if isinstance(lines, str | bytes | Mapping) or not hasattr(lines, "__iter__"):
        raise TypeError(
            f"`lines` must be an iterable of strings, such as a list or an open file. Received: {type(lines)}."
        )


def _as_bytes(text: Any) -> bytes:
    if isinstance(text, bytes):
        return bytes(text)
    if isinstance(text, str):
        return _SURROGATE.sub("\ufffd", text).encode()
    raise TypeError(f"Texts must be strings. Received: {text!r} of type {type(text)}.")


def _as_array(ids: Any) -> np.ndarray:
    from keras import ops

    array = np.asarray(ids) if isinstance(ids, Sequence | np.ndarray) else np.asarray(ops.convert_to_numpy(ids))
    return array if array.ndim else array.reshape(1)
