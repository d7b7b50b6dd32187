"""One chunk of one stream, ready to be run beside those of other streams."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.session import Session


@dataclass(frozen=True, eq=False)
class StreamStep:
    """A chunk that has been checked, and the states that it goes on from. Nothing has been run.

    Attributes:
        inputs: Input name to array, `(rows, steps, ...)`.
        before: The stream's states as it holds them, empty at its start; by it a stream knows its own.
        states: State name to array; zeros at the start of a stream.
        steps: How many time steps the chunk has.
        key: Steps of equal keys may share a call: their chunks have as many steps, their states are of the same size,
            and where the model knows positions, they are at the same one.
    """

    inputs: Mapping[str, np.ndarray]
    before: Mapping[str, np.ndarray]
    states: Mapping[str, np.ndarray]
    steps: int
    key: Hashable

    @classmethod
    def of(
        cls,
        spec: GraphSpec,
        inputs: Mapping[str, np.ndarray],
        before: Mapping[str, np.ndarray],
        *,
        steps: int,
        steps_before: int,
    ) -> "StreamStep":
        """The step of a stream.

        Args:
            spec: The graph.
            inputs: A value for each input, already checked.
            before: The stream's states; empty at its start.
            steps: How many time steps the chunk has.
            steps_before: How many the stream had before.
        """
        rows = inputs[spec.inputs[0].name].shape[0]
        states = before or {state.name: np.zeros(state.start_shape(rows), state.dtype) for state in spec.states}
        sizes = [inputs[tensor.name].shape[1:] for tensor in spec.inputs]
        grown = [states[state.name].shape[1:] for state in spec.states if state.growing_dim]
        position = steps_before if any(state.counts_steps for state in spec.states) else None
        return cls(inputs, before, states, steps, (*sizes, *grown, position))

    @property
    def rows(self) -> int:
        """How many sequences run side by side in this stream."""
        return next(iter(self.inputs.values())).shape[0]


@dataclass(frozen=True, eq=False)
class StreamAnswer:
    """What a step gave. No stream has changed by it; `Stream.take` makes one go on from here.

    Attributes:
        step: The step.
        outputs: Output name to array.
        states: State name to the array that the next chunk goes on from.
    """

    step: StreamStep
    outputs: Mapping[str, np.ndarray]
    states: Mapping[str, np.ndarray]


def run_steps(session: Session, steps: Sequence[StreamStep]) -> list[StreamAnswer]:
    """Run steps of different streams, those of equal keys in one call.

    Each answer is the one that the step gets alone.

    Args:
        session: The graph of all these streams.
        steps: One of each stream.

    Returns:
        An answer for each, in their order. It shares no memory with the others.

    Raises:
        ServingError: If the session is closed, or ONNX Runtime fails.
    """
    groups: dict[Hashable, list[int]] = {}
    for i, step in enumerate(steps):
        groups.setdefault(step.key, []).append(i)
    answers: dict[int, StreamAnswer] = {}
    for members in groups.values():
        answers.update(zip(members, _run_together(session, [steps[i] for i in members]), strict=True))
    return [answers[i] for i in range(len(steps))]


def _run_together(session: Session, steps: Sequence[StreamStep]) -> list[StreamAnswer]:
    spec = session.spec
    feeds = {tensor.name: _end_to_end([step.inputs[tensor.name] for step in steps]) for tensor in spec.inputs}
    feeds |= {state.input: _end_to_end([step.states[state.name] for step in steps]) for state in spec.states}
    whole = session.run(feeds)
    answers, start = [], 0
    for step in steps:
        # Copies of what is a stream's own: a view would keep the memory of everybody's alive.
        part = whole if len(steps) == 1 else {n: array[start : start + step.rows].copy() for n, array in whole.items()}
        states = {state.name: part.pop(state.output) for state in spec.states}
        answers.append(StreamAnswer(step, part, states))
        start += step.rows
    return answers


def _end_to_end(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
