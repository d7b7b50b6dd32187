"""What goes over the WebSocket of a stream: JSON objects of one sequence, without a dimension for the batch."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_seq.serving.errors import InputError, listed
from keras_seq.serving.fields import shorten
from keras_seq.serving.inputs import as_array, name_inputs, refuse
from keras_seq.serving.tensor_spec import TensorSpec

INPUTS, TEXT, ACTION = "inputs", "text", "action"
SNAPSHOT, RESET = "snapshot", "reset"
_FRAMES = '{"inputs": …}, {"text": …}, {"action": "snapshot"}, {"action": "reset"}, or the bytes of a snapshot'


def read_frame(text: str) -> tuple[str, Any]:
    """What a text frame asks for.

    Args:
        text: JSON.

    Returns:
        `"inputs"` or `"text"` and what is given as such; or `"action"` and its name.

    Raises:
        InputError: If it is none of these.

    Example:
        >>> read_frame('{"inputs": {"words": [4, 8, 15]}}')
        ('inputs', {'words': [4, 8, 15]})
    """
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"A frame must be JSON: {error}. Expected: {_FRAMES}.") from None
    if not isinstance(frame, dict) or len(frame) != 1 or not {INPUTS, TEXT, ACTION} & set(frame):
        keys = f"an object with {listed(list(frame)[:8])}" if isinstance(frame, dict) else shorten(frame)
        raise InputError(f"A frame must be one of {_FRAMES}. Received: {shorten(keys, 200)}.")
    ((kind, value),) = frame.items()
    if kind == ACTION and value not in (SNAPSHOT, RESET):
        raise InputError(f"`{ACTION}` must be {listed((SNAPSHOT, RESET))}. Received: {shorten(value)}.")
    return kind, value


def batch_of_one(inputs: Any, specs: Sequence[TensorSpec]) -> dict[str, np.ndarray]:
    """The chunk of one sequence as a batch of one.

    Args:
        inputs: Input name to nested lists, `(steps, ...)`; with a single input, the lists themselves will do.
        specs: The graph's inputs.

    Raises:
        InputError: If names do not match, or something has not the dimensions of one sequence.
    """
    values = name_inputs(inputs, specs)
    return {spec.name: _with_batch(values[spec.name], spec) for spec in specs}


def texts_of_one(text: Any, specs: Sequence[TensorSpec]) -> Any:
    """The text of one sequence: a string; or by name, with a batch of one for the inputs that take numbers."""
    if not isinstance(text, Mapping):
        return text
    known = {spec.name: spec for spec in specs}
    return {
        name: value if isinstance(value, str) or name not in known else _with_batch(value, known[name])
        for name, value in text.items()
    }


def _with_batch(value: Any, spec: TensorSpec) -> np.ndarray:
    array = as_array(value, spec)
    if array.ndim != len(spec.shape) - 1:
        one = ", ".join(map(str, spec.shape[1:]))
        mend = f"A stream is one sequence, so a chunk is ({one}), without {spec.shape[0]!r}."
        refuse(spec, f"has {array.ndim} dimensions, not {len(spec.shape) - 1}", f"{array.dtype} {array.shape}", mend)
    return array[np.newaxis]


def write_answer(outputs: Mapping[str, Any], steps: int) -> str:
    """What came of a chunk.

    Args:
        outputs: Output name to an array or list of one row.
        steps: How many steps the stream has now.

    Returns:
        JSON: `{"outputs": {name: nested lists}, "steps": n}`, with null where a float is not finite.
    """
    rows = {name: value[0] for name, value in outputs.items()}
    plain = {name: row.tolist() if isinstance(row, (np.ndarray, np.generic)) else row for name, row in rows.items()}
    answer = {"outputs": plain, "steps": steps}
    try:
        return json.dumps(answer, allow_nan=False, separators=(",", ":"))
    except ValueError:  # JSON knows no NaN and no infinity
        answer["outputs"] = {name: _finite(row) if name in outputs else row for name, row in plain.items()}
        return json.dumps(answer, allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
