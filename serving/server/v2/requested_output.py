"""An output that a request asks for, and how it is to come."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras_seq.serving.errors import InputError, listed
from keras_seq.serving.server.v2.values import check_bool, check_object, show

_VALID = ("binary_data", "classification")


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """One output of an answer.

    Attributes:
        name: Its name.
        binary: Whether it comes as binary data.
        classes: So many of the best classes in its place; 0 for the output itself.
    """

    name: str
    binary: bool = False
    classes: int = 0


def read_outputs(value: Any, valid: Sequence[str], binary: bool) -> list[RequestedOutput]:
    """The outputs of a request.

    Args:
        value: The parsed JSON of its field `outputs`; None or an empty list for all.
        valid: The outputs that there are.
        binary: Whether they come as binary data where they do not say otherwise.

    Raises:
        InputError: If it is no list of objects with a name each, a name is unknown or twice there, or a parameter is
            wrong.

    Example:
        >>> read_outputs([{"name": "tags", "parameters": {"binary_data": True}}], ["tags", "scores"], False)
        [RequestedOutput(name='tags', binary=True, classes=0)]
    """
    if value is None or value == []:
        return [RequestedOutput(name, binary) for name in valid]
    if not isinstance(value, list):
        raise InputError(f"`outputs` must be a list of objects. Received: {show(value)}.")
    found: dict[str, RequestedOutput] = {}
    for i, item in enumerate(value):
        where = f"outputs[{i}]"
        fields = check_object(item, where)
        name = fields.get("name")
        if not isinstance(name, str) or name not in valid:
            raise InputError(f"`{where}.name` must be one of {listed(valid)}. Received: {show(name)}.")
        if name in found:
            raise InputError(f"`outputs` must have each name once. Received: {name!r} twice.")
        found[name] = _read_output(name, check_object(fields.get("parameters"), f"{where}.parameters"), where, binary)
    return list(found.values())


def _read_output(name: str, parameters: dict[str, Any], where: str, binary: bool) -> RequestedOutput:
    for parameter in parameters:
        if parameter not in _VALID:
            mend = " Shared memory is not for this server: ask for binary data." if "shared_memory" in parameter else ""
            raise InputError(f"`{where}.parameters` may have {listed(_VALID)}. Received: {show(parameter)}.{mend}")
    classes = parameters.get("classification", 0)
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 0:
        raise InputError(f"`{where}.parameters.classification` must be a number of classes. Received: {show(classes)}.")
    return RequestedOutput(name, check_bool(parameters, "binary_data", f"{where}.parameters", binary), classes)
