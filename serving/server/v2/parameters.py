"""The parameters of an inference request: options of the graph, and what the protocol itself has."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from keras_seq.serving.errors import InputError, listed
from keras_seq.serving.option_spec import OptionSpec
from keras_seq.serving.server.v2.values import check_bool, check_object, show

_STREAMS = "Requests know nothing of one another here: open a stream, which is the WebSocket /v1/{model}/stream."
_REFUSED = {
    "sequence_id": _STREAMS,
    "sequence_start": _STREAMS,
    "sequence_end": _STREAMS,
    "priority": "Requests of one kind are answered in the order in which they come: leave it out.",
    "headers": "It is Triton's own: leave it out.",
}
_IGNORED = ("content_type",)  # with which a client of MLServer says what it makes of a tensor on its own side
_OWN = ("binary_data_output", "timeout")


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a request's `parameters` say.

    Attributes:
        options: Name to value, of options of the graph; they are checked with the inputs.
        timeout: Seconds that the request may take; None where it does not say.
        binary: Whether outputs are to be binary data where they do not say otherwise.
    """

    options: dict[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    binary: bool = False


def read_parameters(value: Any, specs: Sequence[OptionSpec]) -> Parameters:
    """The parameters of a request.

    Args:
        value: The parsed JSON of its field `parameters`; None where it has none.
        specs: The options of the graph.

    Raises:
        InputError: If it is no object, a name is unknown, or one of the protocol's has a wrong value.

    Example:
        >>> alpha = OptionSpec("alpha", "float32", 0.7)
        >>> read_parameters({"alpha": 1, "timeout": 500000}, [alpha])
        Parameters(options={'alpha': 1}, timeout=0.5, binary=False)
    """
    given = check_object(value, "parameters")
    valid = [spec.name for spec in specs]
    options = {}
    for name, setting in given.items():
        if name in valid:
            options[name] = setting
        elif name not in _OWN and name not in _IGNORED:
            _refuse(name, valid)
    return Parameters(
        options,
        None if "timeout" in options else _read_timeout(given.get("timeout")),
        "binary_data_output" not in options and check_bool(given, "binary_data_output", "parameters"),
    )


def _refuse(name: str, valid: Sequence[str]):
    if name in _REFUSED:
        raise InputError(f"Parameter {name!r} is not for this server. {_REFUSED[name]}")
    if name.startswith("triton_"):
        raise InputError(f"Parameter {show(name)} is not for this server. It is Triton's own: leave it out.")
    raise InputError(
        f"The request has a parameter {show(name)} that the model does not have. Its options: {listed(valid)}; for "
        f"every request: {listed(_OWN)}."
    )


def _read_timeout(value: Any) -> float | None:
    """Microseconds as seconds; 0 is what clients send for none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise InputError(f"`parameters.timeout` must be a whole number of microseconds. Received: {show(value)}.")
    return value / 1e6 or None
