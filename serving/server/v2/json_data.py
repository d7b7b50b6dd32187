"""Tensors as JSON: the field `data`, read and written."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_seq.serving.errors import InputError
from keras_seq.serving.server.v2.values import KINDS

encode_json = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
"""A value as JSON, without spaces; a ValueError for NaN and infinity, which JSON does not have."""

_DECODER = json.JSONDecoder()

# As many digits as it takes to get the very same number back. Half of what Python writes of a float32 in a float64, and
# in a third of its time.
_DIGITS = {np.dtype("float16"): "%.5g,", np.dtype("float32"): "%.9g,"}

# Kind of a NumPy type to the types that JSON's values may have for it, and to what messages call those.
_TYPES = {
    "b": ({bool}, "true and false"),
    "i": ({int}, "whole numbers without a decimal point"),
    "u": ({int}, "whole numbers without a decimal point"),
    "f": ({int, float}, "numbers"),
    "O": ({str}, "strings"),
}


def parse_json(text: bytes | memoryview, what: str) -> Any:
    """A JSON value, from UTF-8.

    Args:
        text: The bytes.
        what: What messages call it.

    Raises:
        InputError: If it is no UTF-8, no JSON, or nested more deeply than Python's stack.

    Example:
        >>> parse_json(b'{"ready": true}', "The body")
        {'ready': True}
    """
    try:
        return _DECODER.decode(str(text, "utf-8"))
    except RecursionError:
        raise InputError(f"{what} must be JSON of a reasonable depth. Received: lists in lists, too many.") from None
    except ValueError as error:  # of json, of UTF-8, and of integers of thousands of digits
        raise InputError(f"{what} must be JSON in UTF-8. Received: {len(text)} bytes that are not ({error}).") from None


def read_data(data: list, dtype: np.dtype | None, shape: Sequence[int], where: str) -> np.ndarray:
    """A tensor, flat in row-major order, or in lists nested as its shape is.

    Args:
        data: The parsed JSON list.
        dtype: The type that the request gives it; None for strings.
        shape: The shape that the request gives it.
        where: Place of the tensor in the request, for messages.

    Returns:
        An array of `dtype`, or of `str` objects.

    Raises:
        InputError: If it is of no one shape or of another than `shape`, or holds something else than `dtype`, or a
            number that `dtype` does not hold.

    Example:
        >>> read_data([1, 2, 3, 4], np.dtype("int8"), [2, 2], "inputs[0]")
        array([[1, 2],
               [3, 4]], dtype=int8)
    """
    values, nested = _flatten(data, shape, where)
    if len(values) != math.prod(shape):
        raise InputError(
            f"`{where}.data` must have {math.prod(shape)} values, as the shape is {list(shape)}. Received: "
            f"{len(values)}."
        )
    if len(nested) > 1 and nested != list(shape):
        raise InputError(f"{_one_shape(shape, where)} Received: lists nested as {nested}.")
    takes, called = _TYPES["O" if dtype is None else dtype.kind]
    # Looked at before NumPy sees them: it makes numbers of strings, integers of floats, and strings of all there is.
    wrong = set(map(type, values)) - takes
    if wrong:
        found = " and ".join(sorted(KINDS[kind] for kind in wrong))
        raise InputError(
            f"`{where}.data` must be {called}, as the datatype is {dtype or 'BYTES'}. Received: {found} among them."
        )
    if dtype is None:
        array = np.empty(len(values), object)
        array[:] = values
    else:
        array = _numbers(values, dtype, where)
    return array.reshape(shape)


def _flatten(data: list, shape: Sequence[int], where: str) -> tuple[list, list[int]]:
    """The values in row-major order, and the shape in which they were nested."""
    nested = [len(data)]
    while data and isinstance(data[0], list):
        size = len(data[0])
        if any(not isinstance(row, list) or len(row) != size for row in data):
            raise InputError(f"{_one_shape(shape, where)} Received: lists of different lengths, or values among them.")
        data = [value for row in data for value in row]
        nested.append(size)
    return data, nested


def _one_shape(shape: Sequence[int], where: str) -> str:
    return f"`{where}.data` must be one flat list, or lists nested as the shape {list(shape)} says."


def _numbers(values: list, dtype: np.dtype, where: str) -> np.ndarray:
    if dtype.kind == "b" or not values:
        return np.array(values, dtype)
    if dtype.kind == "f":
        return _floats(values, dtype, where)
    info = np.iinfo(dtype)
    try:
        array = np.array(values, "uint64" if info.max > 2**63 and min(values) >= 0 else "int64")
        low, high = int(array.min()), int(array.max())
    except OverflowError:
        low, high = min(values), max(values)
    if low < info.min or high > info.max:
        value = low if low < info.min else high
        value = value if abs(value) < 2**64 else f"{'-' * (value < 0)}a number of {value.bit_length()} bits"
        raise InputError(f"`{where}.data` must be {dtype} values, from {info.min} to {info.max}. Received: {value}.")
    return array.astype(dtype, copy=False)


def _floats(values: list, dtype: np.dtype, where: str) -> np.ndarray:
    try:
        array = np.array(values, "float64")
        with np.errstate(over="ignore"):  # looked at in the next line, with a clearer message
            floats = array.astype(dtype)
        if np.isfinite(floats).all() or not np.isfinite(array).all():  # what is not finite, the graph's checks refuse
            return floats
        largest = f"{np.abs(array).max():g}"
    except OverflowError:
        largest = "an integer past every float"
    raise InputError(f"`{where}.data` must be {dtype} values, up to {np.finfo(dtype).max:g}. Received: {largest}.")


def write_data(array: np.ndarray, name: str) -> str:
    """The content of `data`: a flat list in row-major order, as JSON.

    Args:
        array: Numbers, booleans, or an array of `str` objects.
        name: The output's name, for messages.

    Raises:
        InputError: If it holds NaN or infinity.

    Example:
        >>> write_data(np.array([[0.1, 2], [1e10, -3]], "float32"), "tags")
        '[0.100000001,2,1e+10,-3]'
    """
    values = array.ravel().tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(
            f"Output {name!r} holds NaN or infinity, which JSON cannot say. Ask for it as binary data, by "
            '{"parameters": {"binary_data": true}} beside its name in `outputs`, or for other outputs alone.'
        )
    digits = _DIGITS.get(array.dtype)
    if digits is None or not values:
        return encode_json(values)
    return f"[{(digits * len(values) % tuple(values))[:-1]}]"
