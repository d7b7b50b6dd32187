"""Tensors as bytes behind the JSON: the binary tensor data extension."""

import math
import struct
from collections.abc import Sequence

import numpy as np

from keras_seq.serving.errors import InputError

_LENGTH = struct.Struct("<I")
_MOST_STRINGS = 2**16


def read_binary(data: memoryview, dtype: np.dtype | None, shape: Sequence[int], where: str) -> np.ndarray:
    r"""A tensor in row-major order, little-endian; of strings, each behind its length in 4 bytes.

    Args:
        data: The bytes of this tensor.
        dtype: The type that the request gives it; None for strings.
        shape: The shape that the request gives it.
        where: Place of the tensor in the request, for messages.

    Returns:
        An array of `dtype`, which may be read and not written to, or of `str` objects.

    Raises:
        InputError: If there are more or fewer bytes than it takes, one stands for a boolean and is neither 0 nor 1, or
            a string is no UTF-8.

    Example:
        >>> read_binary(memoryview(b"\1\0\2\0"), np.dtype("<i2"), [2], "inputs[0]")
        array([1, 2], dtype=int16)
    """
    if dtype is None:
        return _read_strings(data, math.prod(shape), where).reshape(shape)
    size = math.prod(shape) * dtype.itemsize
    if len(data) != size:
        raise InputError(
            f"`{where}.parameters.binary_data_size` must be {size}, for {math.prod(shape)} values of {dtype}, shape "
            f"{list(shape)}. Received: {len(data)}."
        )
    if not size:
        return np.zeros(shape, dtype)
    # What stands behind the JSON begins anywhere, and ONNX Runtime's kernels expect numbers at multiples of their size.
    array = np.frombuffer(data, dtype)
    if not array.flags.aligned:
        array = array.copy()
    largest = array.view("uint8").max() if dtype.kind == "b" else 0
    if largest > 1:
        raise InputError(f"`{where}` must be bytes of 0 and 1, as the datatype is BOOL. Received: one of {largest}.")
    return array.reshape(shape)


def _read_strings(data: memoryview, count: int, where: str) -> np.ndarray:
    what = f"`{where}` must be {count} strings, each behind its length in 4 bytes, little-endian"
    if len(data) < _LENGTH.size * count:
        raise InputError(f"{what}: {_LENGTH.size * count} bytes or more. Received: {len(data)}.")
    if count > _MOST_STRINGS:  # far more than rows of a request, and each takes a step in Python
        raise InputError(f"`{where}` must be {_MOST_STRINGS} strings at most. Received: {count}. Send less at a time.")
    strings, start = np.empty(count, object), 0
    for i in range(count):
        begin = start + _LENGTH.size
        if begin > len(data):
            raise InputError(
                f"{what}. Received: {len(data)} bytes, of which string {i} would have its length at {start}."
            )
        (length,) = _LENGTH.unpack_from(data, start)
        start = begin + length
        if start > len(data):
            raise InputError(
                f"{what}. Received: string {i} with a length of {length}, and {len(data) - begin} bytes that are left."
            )
        try:
            strings[i] = str(data[begin:start], "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"`{where}` must be strings of UTF-8. Received: string {i} that is not ({error})."
            ) from None
    if start != len(data):
        raise InputError(f"{what}. Received: {len(data) - start} bytes behind the last.")
    return strings


def write_binary(array: np.ndarray) -> bytes:
    r"""A tensor as bytes, row-major and little-endian.

    Args:
        array: Numbers, booleans, or an array of `str` objects.

    Example:
        >>> write_binary(np.array(["a", ""], object))
        b'\x01\x00\x00\x00a\x00\x00\x00\x00'
    """
    if array.dtype.kind == "O":
        texts = [text.encode("utf-8", "replace") for text in array.ravel().tolist()]
        return b"".join(part for text in texts for part in (_LENGTH.pack(len(text)), text))
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
