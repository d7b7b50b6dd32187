"""The datatypes of the protocol, and the NumPy types that they are."""

import numpy as np

from keras_seq.serving.errors import InputError
from keras_seq.serving.server.v2.values import show

BYTES = "BYTES"
"""The datatype of strings."""

NUMBERS = {
    "BOOL": np.dtype("bool"),
    "UINT8": np.dtype("uint8"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("int8"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""Datatype to NumPy type, for all but `BYTES`. Little-endian, as binary data is."""

_TYPES = {dtype: name for name, dtype in NUMBERS.items()} | {np.dtype(object): BYTES}
_NAMES = {str(dtype): name for name, dtype in NUMBERS.items()} | {"string": BYTES}


def datatype_of(dtype: str) -> str:
    """The protocol's name of a type.

    Args:
        dtype: NumPy's name, or `"string"`.

    Example:
        >>> datatype_of("float32"), datatype_of("string")
        ('FP32', 'BYTES')
    """
    return _NAMES[dtype]


def datatype_of_array(array: np.ndarray) -> str:
    """The protocol's name of an array's type."""
    return _TYPES[array.dtype]


def read_datatype(value: object, where: str) -> np.dtype | None:
    """The NumPy type of a datatype that a request names; None for `BYTES`.

    Args:
        value: What the request has.
        where: Its place in the request, for messages.

    Raises:
        InputError: If it is no datatype, or `BF16`, which NumPy does not have.
    """
    if value == BYTES:
        return None
    dtype = NUMBERS.get(value) if isinstance(value, str) else None
    if dtype is None:
        mend = " NumPy has no BF16: send FP32, of which it is the upper half." if value == "BF16" else ""
        raise InputError(f"`{where}` must be one of {', '.join(NUMBERS)} and {BYTES}. Received: {show(value)}.{mend}")
    return dtype
