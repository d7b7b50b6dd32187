"""Checks of the arguments of tokenizers, and of what has to be installed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def require_for_text(name: str) -> None:
    """Makes sure that TensorFlow or tensorflow-text is there.

    Args:
        name: `"tensorflow"` or `"tensorflow_text"`.

    Raises:
        ImportError: If it is not installed, with the line that installs it.
    """
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ImportError(
            f"Tokenizers need {name.replace('_', '-')}, which is not installed. "
            "Install it with: pip install 'keras_seq[text]'",
            name=name,
        ) from error


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
