"""Traces a model into functions of flat tensors: the whole sequence, and one chunk of a stream."""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_seq.export.battery import random_inputs
from keras_seq.export.endpoint import Endpoint
from keras_seq.export.errors import ExportError, StreamingError
from keras_seq.export.lowering.layer_note import LayerNote
from keras_seq.export.lowering.swap import portable_model, swapped_calls
from keras_seq.export.lowering.trace import StreamState, Trace
from keras_seq.export.parity import Runner
from keras_seq.export.signature import Signature, output_names
from keras_seq.export.streaming import streaming_refusal
from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["find_states", "keras_runner", "model_endpoints", "output_specs", "traceable"]


def keras_runner(model: keras.Model, signature: Signature) -> Runner:
    """Runs the Keras model itself, as `portable_model` has it: the reference of every comparison."""

    def call(*tensors: tf.Tensor):
        with portable_model(model):
            return signature.call(*tensors)

    # TimeDistributed over a recurrent layer fails in Keras where the time axis is dynamic: then nothing is traced.
    static = any(
        isinstance(inner, keras.layers.RNN)
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.TimeDistributed)
        for inner in layer._flatten_layers()
    )
    compute = call if static else tf.function(call, input_signature=signature.tensor_specs(), autograph=False)

    def run(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = compute(*(tf.constant(inputs[spec.name], spec.dtype) for spec in signature.inputs))
        flat = [value.numpy() for value in keras.tree.flatten(outputs)]
        return dict(zip(output_names(model, outputs), flat, strict=True))

    return run


def output_specs(signature: Signature, run: Runner) -> tuple[TensorSpec, ...]:
    """Names, dtypes and dimensions of a model's outputs, found by running it on two sets of sizes.

    A dimension that follows the size of an input's dynamic dimension both times has its name.

    Raises:
        ExportError: An output's first axis is not the batch.
    """
    rng = np.random.default_rng(0)
    extra = {dim for spec in signature.inputs for dim in spec.shape if isinstance(dim, str)} - {"batch", "time"}
    named = {(3, 2): "batch"}
    time = _two_sizes(5, min(11, signature.limits.get("time", 11)), named)
    named[time] = "time"
    other = _two_sizes(7, min([13, *(signature.limits.get(dim, 13) for dim in extra)]), named)
    if len(extra) == 1:  # of several, all tried at one size, none can be told from another
        named[other] = extra.pop()
    first, second = (
        run(random_inputs(signature.inputs, rng, batch=batch, time=steps, other=size))
        for batch, steps, size in zip((3, 2), time, other, strict=True)
    )
    specs = []
    for name, value in first.items():
        if value.ndim == 0 or (value.shape[0], second[name].shape[0]) != (3, 2):
            raise ExportError(
                f"output {name!r} has shape {value.shape} for a batch of 3: the first axis of every output must be the "
                "batch. Leave reductions over the batch to the caller."
            )
        dims = tuple(
            a if a == b else named.get((a, b), f"{name}_{axis}")
            for axis, (a, b) in enumerate(zip(value.shape, second[name].shape, strict=True))
        )
        specs.append(TensorSpec(name, value.dtype.name, dims))
    return tuple(specs)


def _two_sizes(first: int, second: int, taken: Container[tuple[int, int]]) -> tuple[int, int]:
    """Two sizes to try a dimension at, up to those wanted, that no other dimension is tried at."""
    smaller = range(min(first, second - 1), 0, -1)
    return next(((size, second) for size in smaller if (size, second) not in taken), (second, second))


def traceable(model: keras.Model, signature: Signature, trace: Trace, states: Sequence[StreamState] = ()) -> Callable:
    """A function of flat tensors that calls the model by its lowering rules, whenever it is traced.

    Args:
        model: The model.
        signature: Of the model.
        trace: Whose rules the model's layers follow.
        states: For a stream: the states that the function takes after the inputs, and returns after the outputs.
    """

    def function(*tensors: tf.Tensor) -> list[tf.Tensor]:
        count = len(signature.inputs)
        trace.given_states = dict(zip((state.name for state in states), tensors[count:], strict=True))
        trace.states.clear()
        trace.next_states.clear()
        trace.shared.clear()
        with swapped_calls(model, trace):
            outputs = keras.tree.flatten(signature.call(*tensors[:count]))
        return [tf.identity(t) for t in (*outputs, *(trace.next_states[state.name] for state in states))]

    return function


def find_states(model: keras.Model, signature: Signature) -> tuple[StreamState, ...]:
    """The states that a stream of the model carries.

    Raises:
        StreamingError: A layer cannot stream, or nothing carries a state.
    """
    trace = Trace(markers=None, streaming=True)
    tf.function(traceable(model, signature, trace), autograph=False).get_concrete_function(*signature.tensor_specs())
    if trace.refusals:
        raise StreamingError(streaming_refusal(model, trace.refusals))
    if not trace.states:
        raise StreamingError(
            f"model {model.name!r} has no recurrent layer and no causal attention, so there is no state to carry in a "
            "stream."
        )
    return tuple(trace.states)


def model_endpoints(
    model: keras.Model,
    signature: Signature,
    outputs: Sequence[TensorSpec],
    states: Sequence[StreamState] | None,
    notes: Sequence[LayerNote],
) -> list[Endpoint]:
    """The model itself, and its stream where there is one.

    Args:
        model: The model.
        signature: Of the model.
        outputs: What it returns.
        states: Those of a stream; None for no stream.
        notes: How its layers are lowered.
    """
    # A decoder that attends is a loop in any form: what it reads at a step depends on the step before.
    loops = sum(note.lowering == "decode_loop" for note in notes)

    def endpoint(name: str, signature_name: str, carried: Sequence[StreamState]) -> Endpoint:
        return Endpoint(
            name,
            signature_name,
            signature.inputs,
            tuple(outputs),
            functools.partial(_build, model, signature, tuple(carried)),
            tuple(carried),
            loops=loops,
            limits=signature.limits,
        )

    whole = endpoint("model", "serving_default", ())
    return [whole] if states is None else [whole, endpoint("step", "step", states)]


def _build(model: keras.Model, signature: Signature, states: Sequence[StreamState], trace: Trace) -> Callable:
    return traceable(model, signature, trace, states)
