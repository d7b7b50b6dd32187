"""An inference request, taken apart: JSON, and the binary data behind it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_seq.serving.errors import InputError
from keras_seq.serving.server.v2.binary_data import read_binary
from keras_seq.serving.server.v2.datatypes import read_datatype
from keras_seq.serving.server.v2.json_data import parse_json, read_data
from keras_seq.serving.server.v2.values import check_object, show

HEADER = "inference-header-content-length"
"""The header that says how many bytes of a body are JSON."""

_MOST_INPUTS = 256  # those of no model, and what takes a moment to read before their names are looked at
_MOST_DIMENSIONS = 32
_MOST_VALUES = 2**48


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request whose tensors are read; whether they suit a model is not looked at yet.

    Attributes:
        id: The caller's own name for it; None where it has none.
        inputs: Name to array; of `str` objects for `BYTES`.
        parameters: As the JSON has it; None where it has none.
        outputs: As the JSON has it; None where it has none.
    """

    id: str | None
    inputs: dict[str, np.ndarray]
    parameters: Any = None
    outputs: Any = None


def read_request(body: bytes, header_length: str | None) -> InferRequest:
    """A request from its body.

    Args:
        body: JSON, and behind it the binary data of the inputs that have some, in their order.
        header_length: What the header `Inference-Header-Content-Length` says; None where there is no such header, and
            the whole body is JSON.

    Raises:
        InputError: If anything about it is not as the protocol says; the message names the field.

    Example:
        >>> request = read_request(b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [7]}]}', None)
        >>> request.inputs
        {'x': array([7.], dtype=float32)}
    """
    view, size = memoryview(body), _json_size(body, header_length)
    fields = parse_json(view[:size], "The request's body" if header_length is None else f"The first {size} bytes")
    if not isinstance(fields, dict):
        raise InputError(f"The request's JSON must be an object with `inputs`. Received: {show(fields)}.")
    name = fields.get("id")
    if name is not None and not isinstance(name, str):
        raise InputError(f"`id` must be a string. Received: {show(name)}.")
    items = fields.get("inputs")
    if not isinstance(items, list) or not items:
        received = "nothing" if items is None else "an empty list" if items == [] else show(items)
        raise InputError(f"`inputs` must be a list of at least one object. Received: {received}.")
    if len(items) > _MOST_INPUTS:
        raise InputError(f"`inputs` must be a list of at most {_MOST_INPUTS} objects. Received: {len(items)}.")
    inputs: dict[str, np.ndarray] = {}
    binary = _Binary(view[size:], header_length is not None)
    for i, item in enumerate(items):
        key, array = _read_input(item, f"inputs[{i}]", binary)
        if key in inputs:
            raise InputError(f"`inputs` must have each name once. Received: {show(key)} twice.")
        inputs[key] = array
    binary.check_end()
    return InferRequest(name, inputs, fields.get("parameters"), fields.get("outputs"))


def _json_size(body: bytes, header_length: str | None) -> int:
    if header_length is None:
        return len(body)
    if not (header_length.isascii() and header_length.isdigit() and len(header_length) < 20):
        raise InputError(
            "The header Inference-Header-Content-Length must be the number of bytes of the JSON. Received: "
            f"{show(header_length)}."
        )
    size = int(header_length)
    if size > len(body):
        raise InputError(
            "The header Inference-Header-Content-Length must be the number of bytes of the JSON, at most the "
            f"{len(body)} that the body has. Received: {size}."
        )
    return size


class _Binary:
    """What stands behind the JSON, taken from its beginning."""

    def __init__(self, data: memoryview, announced: bool):
        self._data, self._start, self._announced = data, 0, announced

    def take(self, size: Any, where: str) -> memoryview:
        """The next bytes."""
        where = f"`{where}.parameters.binary_data_size`"
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise InputError(f"{where} must be a number of bytes. Received: {show(size)}.")
        if not self._announced:
            raise InputError(
                f"A request with {where} must have the header Inference-Header-Content-Length, the number of bytes of "
                "its JSON. Received: none."
            )
        left = len(self._data) - self._start
        if size > left:
            raise InputError(
                f"{where} must be at most the {left} bytes that the body still has behind its JSON and the inputs "
                f"before. Received: {show(size)}."
            )
        self._start += size
        return self._data[self._start - size : self._start]

    def check_end(self):
        """Refuse bytes that belong to no input."""
        left = len(self._data) - self._start
        if left:
            raise InputError(
                f"The body must end with its JSON and {self._start} bytes of binary data, as the header "
                f"Inference-Header-Content-Length and the inputs' `binary_data_size` say. Received: {left} bytes more."
            )


def _read_input(item: Any, where: str, binary: _Binary) -> tuple[str, np.ndarray]:
    if not isinstance(item, dict):
        raise InputError(f"`{where}` must be an object. Received: {show(item)}.")
    name = item.get("name")
    if not isinstance(name, str) or not name:
        raise InputError(f"`{where}.name` must be the name of an input. Received: {show(name)}.")
    dtype = read_datatype(item.get("datatype"), f"{where}.datatype")
    shape = _read_shape(item.get("shape"), where)
    parameters = check_object(item.get("parameters"), f"{where}.parameters")
    _check_parameters(parameters, where)
    data = item.get("data")
    if "binary_data_size" in parameters:
        if data is not None:
            raise InputError(f"`{where}` must have `data` or `parameters.binary_data_size`. Received: both.")
        return name, read_binary(binary.take(parameters["binary_data_size"], where), dtype, shape, where)
    if not isinstance(data, list):
        received = "nothing" if data is None else show(data)
        raise InputError(
            f"`{where}` must have its values in the list `data`, or as binary data with "
            f"`parameters.binary_data_size`. Received: {received}."
        )
    return name, read_data(data, dtype, shape, where)


def _read_shape(value: Any, where: str) -> list[int]:
    if not isinstance(value, list) or len(value) > _MOST_DIMENSIONS:
        received = f"{len(value)} of them" if isinstance(value, list) else "nothing" if value is None else show(value)
        raise InputError(
            f"`{where}.shape` must be a list of at most {_MOST_DIMENSIONS} whole numbers. Received: {received}."
        )
    for size in value:
        if type(size) is not int or not 0 <= size < 2**31:
            raise InputError(f"`{where}.shape` must be whole numbers from 0 to {2**31 - 1}. Received: {show(size)}.")
    if math.prod(size or 1 for size in value) > _MOST_VALUES:  # counted without the zeros, as NumPy does
        raise InputError(f"`{where}.shape` must be that of a tensor that fits into memory. Received: {value}.")
    return value


def _check_parameters(parameters: dict[str, Any], where: str):
    for name in parameters:
        if name not in ("binary_data_size", "content_type"):
            mend = " Shared memory is not for this server: send binary data." if "shared_memory" in name else ""
            raise InputError(f"`{where}.parameters` may have 'binary_data_size'. Received: {show(name)}.{mend}")
