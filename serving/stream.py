"""Runs a sequence chunk by chunk, with the states carried from one chunk to the next."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from keras_seq.serving.bundle import Bundle
from keras_seq.serving.errors import BundleError, InputError, ServingError, listed
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.inputs import check_array, check_limits, check_sizes, name_inputs
from keras_seq.serving.session import Session
from keras_seq.serving.snapshot import Snapshot
from keras_seq.serving.stream_step import StreamAnswer, StreamStep, run_steps
from keras_seq.serving.tensor_spec import TensorSpec


class Stream:
    """A sequence that arrives in chunks. However it is cut, the outputs are those of the whole.

    The states of recurrent layers keep their size. Those of attention layers hold keys and values of every step so far:
    memory and the time a step takes grow with the sequence (`nbytes`), and a model whose positions end somewhere
    refuses the step beyond.

    `stream.new()` gives another stream over the same graph in memory; each holds nothing but its states and outputs, so
    thousands share one. Different streams may be fed from different threads at the same time; one stream is one
    sequence, and is fed by one thread at a time.

    Args:
        bundle: The bundle's folder, or a `Bundle` already loaded; exported with `streaming=True`.
        graph: Which of its graphs to run; it must carry states.
        variant: As in `Predictor`. A snapshot is of one variant: another would go on otherwise.
        keep_outputs: Keep every per-step output for `result()`. Without it nothing but a cache of attention grows with
            the sequence, and `result()` gives the latest of the outputs that have no `time` dimension.
        num_threads: Threads for one call, the caller's included; by default as many as the process may use.
        providers: ONNX Runtime execution providers in order of preference; by default CUDA where there is one, then the
            CPU.

    Raises:
        BundleError: If the bundle is damaged, has no such graph or variant, or the graph carries no states (use
            `Predictor`).
        ServingError: If `num_threads` or `providers` cannot be had.

    Example:
        ```python
        stream = Stream("out/tagger")
        for chunk in chunks:  # each (batch, any number of steps)
            print(stream.feed({"words": chunk})["tags"])
        stream.result()["tags"]  # all of them, (batch, steps)
        ```
    """

    def __init__(
        self,
        bundle: str | Path | Bundle,
        *,
        graph: str = "step",
        variant: str | None = None,
        keep_outputs: bool = True,
        num_threads: int | None = None,
        providers: Sequence[str] | None = None,
    ):
        bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        if not bundle.graph(graph).states:
            raise BundleError(f"Graph {graph!r} of {bundle.path} carries no states: run it with `Predictor`.")
        self._start(Session(bundle, graph, variant=variant, num_threads=num_threads, providers=providers), keep_outputs)

    def _start(self, session: Session, keep_outputs: bool):
        self._session = session
        self._keep_outputs = keep_outputs
        self._per_step = {spec.name: _time_axis(spec) for spec in session.spec.outputs if "time" in spec.shape}
        self.reset()

    def new(self, *, keep_outputs: bool | None = None) -> "Stream":
        """Another stream, at its start, over the same graph in memory.

        Args:
            keep_outputs: As in the constructor; by default as this stream has it.
        """
        stream = object.__new__(type(self))
        stream._start(self._session, self._keep_outputs if keep_outputs is None else keep_outputs)
        return stream

    @property
    def bundle(self) -> Bundle:
        """The bundle this stream runs."""
        return self._session.bundle

    @property
    def graph(self) -> str:
        """The graph's name."""
        return self._session.graph

    @property
    def spec(self) -> GraphSpec:
        """The graph: inputs, outputs, states."""
        return self._session.spec

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What `feed` takes."""
        return self._session.spec.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What `feed` gives."""
        return self._session.spec.outputs

    @property
    def batch_size(self) -> int | None:
        """Number of sequences that run side by side, set by the first chunk; None before it."""
        return next(iter(self._states.values())).shape[0] if self._states else None

    @property
    def steps(self) -> int:
        """Number of time steps fed since the start."""
        return self._steps

    @property
    def nbytes(self) -> int:
        """Bytes of the states as they are now: what `feed` carries on, without the outputs kept."""
        return sum(state.nbytes for state in self._states.values())

    def feed(self, inputs: Any) -> dict[str, np.ndarray]:
        """Run the next chunk.

        Args:
            inputs: Input name to value of shape `(batch, steps, ...)`, an array or nested lists, with one step or more.
                A single sequence is a batch of one. With a single input, the value itself will do. Values are cast as
                `Predictor.predict` casts them.

        Returns:
            Output name to array: for per-step outputs this chunk's steps, for the others their value after the chunk.

        Raises:
            InputError: If a name, rank, dimension, dtype or value does not suit, the batch size is not that of the
                chunks before, or the chunk brings more steps than the model has positions for. The stream is as it was
                then.
            ServingError: If the stream is closed, or ONNX Runtime fails. The stream is as it was then.
        """
        (answer,) = self.run([self.read(inputs)])
        return self.take(answer)

    def read(self, inputs: Any) -> StreamStep:
        """The next chunk, checked and not yet run: the first third of `feed`.

        With `run` and `take` many streams go on in one call:

        ```python
        streams = [stream.new() for _ in range(32)]
        answers = stream.run([each.read(chunk) for each, chunk in zip(streams, chunks)])
        outputs = [each.take(answer) for each, answer in zip(streams, answers)]
        ```

        Args:
            inputs: As in `feed`.

        Raises:
            InputError: As in `feed`. The stream is as it was, here as in any case.
        """
        spec = self._session.spec
        values = name_inputs(inputs, spec.inputs)
        feeds = {tensor.name: check_array(values[tensor.name], tensor) for tensor in spec.inputs}
        sizes = check_sizes([(tensor, feeds[tensor.name].shape) for tensor in spec.inputs])
        if self.batch_size not in (None, sizes["batch"]):
            raise InputError(
                f"Every chunk of a stream must have the batch size of the first, {self.batch_size}. Received: "
                f"{sizes['batch']}. Call reset() to start over, or new() for another stream."
            )
        for tensor in spec.inputs:
            check_limits(feeds[tensor.name].shape, tensor, spec.limits)
        self._check_room(sizes.get("time", 0))
        return StreamStep.of(spec, feeds, self._states, steps=sizes.get("time", 1), steps_before=self._steps)

    def run(self, steps: Sequence[StreamStep]) -> list[StreamAnswer]:
        """Run chunks of several streams, together where they may be: those whose `key` is the same.

        No stream changes, so a call that fails or whose answers nobody wants may be repeated. Each answer is the one
        that the chunk gets alone. Any number of threads may call this at the same time.

        Args:
            steps: What `read` gave, of this stream or others over the same graph in memory; one of each.

        Raises:
            ServingError: If the stream is closed, or ONNX Runtime fails.
        """
        return run_steps(self._session, steps)

    def take(self, answer: StreamAnswer) -> dict[str, np.ndarray]:
        """Go on to where a chunk leads: the last third of `feed`.

        Args:
            answer: What `run` gave for the chunk that this stream's `read` gave.

        Returns:
            What `feed` returns.

        Raises:
            ServingError: If the stream has been fed, reset or restored since it read the chunk.
        """
        if answer.step.before is not self._states:
            raise ServingError(
                "The answer is not that of this stream's next chunk: it is another stream's, or the stream was fed, "
                "reset or restored after read(). Read the chunk again."
            )
        self._states = dict(answer.states)
        self._steps += answer.step.steps
        for name, value in answer.outputs.items():
            if name not in self._per_step:
                self._kept[name] = [value.copy()]  # the caller may write into what is returned
            elif self._keep_outputs:
                self._kept.setdefault(name, []).append(value.copy())
        return dict(answer.outputs)

    def _check_room(self, steps: int):
        """Refuse a chunk that would take the stream past the model's last position."""
        limit = self._session.spec.limits.get("time")
        if limit is not None and self._steps + steps > limit:
            raise InputError(
                f"The stream is full: the model takes {limit} steps at most, {self._steps} were fed, and this chunk "
                f"has {steps}. Call reset() or new() to start over, or train and export a model that allows more."
            )

    def result(self) -> dict[str, np.ndarray]:
        """The outputs of everything fed since the start.

        Returns:
            Output name to array: per-step outputs end to end along `time`, the others as after the latest chunk.

        Raises:
            ServingError: If nothing was fed yet, or the per-step outputs were not kept.
        """
        if not self._states:
            raise ServingError("The stream has no result yet: feed() it a chunk first.")
        if self._per_step and not self._keep_outputs:
            raise ServingError(
                f"The stream was made with keep_outputs=False, so the steps of {listed(self._per_step)} are gone. Take "
                "them from what feed() returns, or make the stream with keep_outputs=True."
            )
        for name, chunks in self._kept.items():
            if len(chunks) > 1:  # joined once: asking after every chunk must not take longer and longer
                self._kept[name] = [np.concatenate(chunks, axis=self._per_step[name])]
        return {name: chunks[0].copy() for name, chunks in self._kept.items()}

    def reset(self):
        """Go back to the start: states of zero, no outputs, any batch size."""
        self._states: dict[str, np.ndarray] = {}  # a new one with each chunk: `take` tells by it whether it is in time
        self._kept: dict[str, list[np.ndarray]] = {}
        self._steps = 0

    def snapshot(self) -> bytes:
        """The stream as it stands, as bytes: `restore` goes on from there, in this process or in another.

        Outputs kept so far are part of it.
        """
        outputs = {
            name: np.concatenate(chunks, axis=self._per_step[name]) if len(chunks) > 1 else chunks[0]
            for name, chunks in self._kept.items()
        }
        identity = self.bundle.manifest.files[self._session.spec.file].sha256
        return Snapshot(identity, self._steps, self._keep_outputs, self._states, outputs).to_bytes()

    def restore(self, data: bytes):
        """Go on from where `snapshot` was taken, whatever this stream held before.

        Args:
            data: What `snapshot` gave, of a stream over the same graph.

        Raises:
            InputError: If the bytes are damaged or no snapshot, come from another graph, hold what no stream over this
                graph can hold, or lack the outputs this stream is to keep. The stream is as it was then.
        """
        snapshot = Snapshot.from_bytes(data)
        spec = self._session.spec
        identity = self.bundle.manifest.files[spec.file].sha256
        if snapshot.graph_sha256 != identity:
            raise InputError(
                f"The snapshot is of another bundle: its graph has SHA-256 {snapshot.graph_sha256}, and graph "
                f"{self._session.graph!r} of {self.bundle.path} has {identity}. Restore it with its own bundle."
            )
        snapshot.check(spec)
        if self._per_step and self._keep_outputs and not snapshot.keeps_outputs:
            raise InputError(
                "The snapshot was taken with keep_outputs=False, so result() could not be whole. Restore it into a "
                "stream made with keep_outputs=False."
            )
        self._states = dict(snapshot.states)
        self._steps = snapshot.steps
        self._kept = {
            name: [array]
            for name, array in snapshot.outputs.items()
            if self._keep_outputs or name not in self._per_step
        }

    def close(self):
        """Free the graph and its threads, for every stream made from this one with `new` too."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info):
        self.close()

    def __repr__(self) -> str:
        takes = ", ".join(f"{spec.name}: {spec}" for spec in self.inputs)
        gives = ", ".join(f"{spec.name}: {spec}" for spec in self.outputs)
        name = self.bundle.manifest.name
        return f"<Stream {name!r} ({takes}) -> ({gives}), {self._steps} steps fed, batch of {self.batch_size}>"


def _time_axis(spec: TensorSpec) -> int:
    return spec.shape.index("time")
