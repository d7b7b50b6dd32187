"""Checks of single values of parsed JSON, and how messages show them."""

from collections.abc import Mapping
from typing import Any

from keras_seq.serving.errors import InputError
from keras_seq.serving.fields import shorten

KINDS = {
    bool: "true or false",
    int: "an integer",
    float: "a number with a decimal point",
    str: "a string",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
"""The types of parsed JSON, as messages call them."""


def show(value: Any) -> str:
    """A value as messages show it: what it is if it is short, and otherwise what kind of thing.

    Lists and objects are not spelt out: they may be as large as a request, and nested more deeply than `repr` goes.

    Example:
        >>> show("FP31"), show([1, 2]), show(None)
        ("'FP31'", 'a list', 'null')
    """
    return shorten(value) if isinstance(value, (bool, int, float, str)) else KINDS[type(value)]


def check_object(value: Any, where: str) -> Mapping[str, Any]:
    """An object; empty for null.

    Args:
        value: The parsed JSON.
        where: Its place in the request, for messages.

    Raises:
        InputError: If it is anything else.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"`{where}` must be an object. Received: {show(value)}.")
    return value


def check_bool(values: Mapping[str, Any], name: str, where: str, default: bool = False) -> bool:
    """A field that is true or false.

    Args:
        values: The object that may have it.
        name: The field.
        where: Place of the object in the request, for messages.
        default: What it is where the object does not have it.

    Raises:
        InputError: If it is anything else.
    """
    value = values.get(name, default)
    if not isinstance(value, bool):
        raise InputError(f"`{where}.{name}` must be true or false. Received: {show(value)}.")
    return value
