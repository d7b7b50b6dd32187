"""What a caller gives as text, made a string that UTF-8 can spell."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_seq.serving.errors import InputError
from keras_seq.serving.fields import shorten

_SURROGATE = re.compile("[\ud800-\udfff]")


def read_text(value: Any, what: str = "A text") -> str:
    r"""A text as a string in which every code point has a place in UTF-8.

    Args:
        value: A string, or bytes of UTF-8. U+FFFD takes the place of each lone surrogate and of each maximal part of
            bytes that is no UTF-8 (the Unicode Standard, 3.9), as in TensorFlow.
        what: What messages call it.

    Raises:
        InputError: If it is anything else.

    Example:
        >>> read_text(b"caf\xe9") == read_text("caf\ud800") == "caf\ufffd"
        True
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if not isinstance(value, str):
        raise InputError(
            f"{what} must be a string. Received: {type(value).__name__} {shorten(value)}. Ids go into predict() and "
            "generate()."
        )
    return value if value.isascii() else _SURROGATE.sub("\ufffd", value)


def read_texts(values: Any) -> list[str]:
    """A batch of texts.

    Args:
        values: A list or tuple, or an array of one axis, of what `read_text` takes.

    Raises:
        InputError: If it is a single text or anything else, has no text in it, or something in it is no text.
    """
    if isinstance(values, np.ndarray) and values.ndim == 1:
        values = values.tolist()
    if isinstance(values, (str, bytes)):
        raise InputError(f"Texts must come as a list. Received: {shorten(values)}. Put it into a list: [text].")
    if not isinstance(values, Sequence):
        raise InputError(f"Texts must come as a list of strings. Received: {type(values).__name__} {shorten(values)}.")
    if not values:
        raise InputError("Texts must come as a list of at least one string. Received: an empty list.")
    return [read_text(value, f"Text {i}") for i, value in enumerate(values)]
