"""`config.pbtxt`: what Triton must know of one entry of its model repository.

The text is that of the message `inference.ModelConfig`. Nothing but what an entry needs is written; the rest is
Triton's to choose or the operator's to add, such as `instance_group`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from keras_seq.export.triton_settings import TritonSettings

__all__ = ["State", "Tensor", "config_text"]

TYPES = {
    "bool": "TYPE_BOOL",
    **{f"{sign}int{bits}": f"TYPE_{sign.upper()}INT{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": f"TYPE_FP{bits}" for bits in (16, 32, 64)},
    "string": "TYPE_STRING",
}
"""NumPy's name of a type (`string` for strings) to Triton's."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of an entry.

    Attributes:
        name: In the graph.
        dtype: NumPy's name of its type, or `"string"`.
        shape: As the graph declares it, the batch first; None for a dynamic dimension.
        optional: Whether a request may leave it out.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    optional: bool = False


@dataclass(frozen=True)
class State:
    """What Triton carries from one request of a stream to the next.

    Attributes:
        input: The graph's input that takes it.
        output: The graph's output that gives the next value.
        dtype: NumPy's name of its type.
        shape: Behind the batch; None for a dimension that grows, which starts at 1.
    """

    input: str
    output: str
    dtype: str
    shape: tuple[int | None, ...]


def config_text(
    name: str,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    settings: TritonSettings,
    *,
    batched: bool = True,
    states: Sequence[State] = (),
) -> str:
    """The content of an entry's `config.pbtxt`.

    Args:
        name: Of the entry and of its folder.
        inputs: What a request has; states are not among them.
        outputs: What a reply has.
        settings: Of the batching.
        batched: Whether requests may share a call. Otherwise a request brings its own batch, as the first dimension of
            everything, and runs alone.
        states: What a stream carries; empty for a graph without.
    """
    grows = any(None in state.shape for state in states)
    largest = 0 if not batched else 1 if grows else settings.max_batch_size
    lines = [f"name: {_quoted(name)}", 'backend: "onnxruntime"', f"max_batch_size: {largest}"]
    lines += _list("input", [_tensor(tensor, batched) for tensor in inputs])
    lines += _list("output", [_tensor(tensor, batched) for tensor in outputs])
    if states:
        lines += _sequence_batching(states, settings, largest)
    elif batched:
        lines += ["dynamic_batching {", *_indented(_batching(settings, largest)), "}"]
    return "\n".join(lines) + "\n"


def _sequence_batching(states: Sequence[State], settings: TritonSettings, largest: int) -> list[str]:
    """The streams: `oldest`, so that nothing but what is ready is run, and chunks of one length share a call."""
    idle = round(settings.max_stream_idle_seconds * 1e6)
    oldest = [f"max_candidate_sequences: {settings.max_streams}", *_batching(settings, largest)]
    return [
        "sequence_batching {",
        *_indented([f"max_sequence_idle_microseconds: {idle}", "oldest {", *_indented(oldest), "}"]),
        *_indented(_list("state", [_state(state) for state in states])),
        "}",
    ]


def _batching(settings: TritonSettings, largest: int) -> list[str]:
    sizes = [size for size in settings.preferred_batch_sizes if 1 < size <= largest]
    delay = settings.max_queue_delay_microseconds if largest > 1 else 0
    preferred = [f"preferred_batch_size: {_numbers(sizes)}"] if sizes else []
    return [*preferred, f"max_queue_delay_microseconds: {delay}"]


def _tensor(tensor: Tensor, batched: bool) -> list[str]:
    dims = [_dim(size) for size in (tensor.shape[1:] if batched else tensor.shape)]
    lines = [f"name: {_quoted(tensor.name)}", f"data_type: {TYPES[tensor.dtype]}"]
    # Triton has no tensor without dimensions, so one of the batch alone, and a scalar, are told by one of size 1.
    lines.append(f"dims: {_numbers(dims or [1])}")
    if not dims and batched:
        lines.append("reshape { shape: [ ] }")
    return [*lines, "optional: true"] if tensor.optional else lines


def _state(state: State) -> list[str]:
    dims, start = [_dim(size) for size in state.shape], [1 if size is None else size for size in state.shape]
    kind = TYPES[state.dtype]
    zeros = [f"data_type: {kind}", f"dims: {_numbers(start)}", "zero_data: true", f"name: {_quoted('zeros')}"]
    return [
        f"input_name: {_quoted(state.input)}",
        f"output_name: {_quoted(state.output)}",
        f"data_type: {kind}",
        f"dims: {_numbers(dims)}",
        *_list("initial_state", [zeros]),
    ]


def _dim(size: int | None) -> int:
    return -1 if size is None else size


def _list(field: str, messages: Sequence[Sequence[str]]) -> list[str]:
    """A repeated field with its messages."""
    lines = [f"{field} ["]
    for i, message in enumerate(messages):
        lines += ["  {", *_indented(message, 4), "  }" + "," * (i + 1 < len(messages))]
    return [*lines, "]"]


def _indented(lines: Sequence[str], by: int = 2) -> list[str]:
    return [" " * by + line for line in lines]


def _numbers(values: Sequence[int]) -> str:
    return f"[ {', '.join(map(str, values))} ]"


def _quoted(text: str) -> str:
    """A string as the text format has it: its escapes are those of JSON and more."""
    return json.dumps(text)
