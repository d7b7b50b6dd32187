"""Writes a model as a TensorFlow SavedModel with named signatures, and runs one."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_seq.export.errors import ExportError
from keras_seq.export.lowering.trace import StreamState, Trace
from keras_seq.export.parity import Runner
from keras_seq.export.signature import Signature
from keras_seq.export.tracing import state_tensor_specs, traceable
from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["saved_model_runner", "write_saved_model"]


def write_saved_model(
    model: keras.Model,
    path: Path,
    signature: Signature,
    outputs: Sequence[TensorSpec],
    states: Sequence[StreamState] | None,
) -> list[str]:
    """Writes `model` through Keras' export archive.

    Args:
        model: The model.
        path: A folder that does not exist yet.
        signature: Of the model.
        outputs: The names of what it returns.
        states: Those of a stream, for the signature `step`; None for no such signature.

    Returns:
        The names of the signatures.

    Raises:
        ExportError: A kernel that runs on one kind of device only has got into the graph.
    """
    signatures = {"serving_default": ()} | ({} if states is None else {"step": states})
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, carried in signatures.items():
        trace = Trace(markers=None, streaming=name == "step")
        archive.add_endpoint(name, _named_function(model, signature, outputs, carried, trace))
    with contextlib.redirect_stdout(io.StringIO()):  # TensorFlow's own line about where it wrote
        archive.write_out(str(path), verbose=False)
    _check_portable(path)
    return list(signatures)


def saved_model_runner(path: Path, signature_name: str = "serving_default") -> Runner:
    """Runs one signature of a SavedModel with plain TensorFlow."""
    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures[signature_name]

    def run(inputs):
        outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    run.loaded = loaded  # the signature holds its variables weakly
    return run


def _named_function(
    model: keras.Model,
    signature: Signature,
    outputs: Sequence[TensorSpec],
    states: Sequence[StreamState],
    trace: Trace,
) -> Callable:
    """The model as a traced function whose inputs and outputs have their names."""
    function = traceable(model, signature, trace, states)
    names = [spec.name for spec in outputs] + [state.next_name for state in states]
    specs = [*signature.tensor_specs(), *state_tensor_specs(states)]
    given = [spec.name for spec in signature.inputs] + [state.name for state in states]
    named = [tf.TensorSpec(spec.shape, spec.dtype, name=name) for spec, name in zip(specs, given, strict=True)]

    def call(*tensors):
        return dict(zip(names, function(*tensors), strict=True))

    traced = tf.function(call, input_signature=named, autograph=False)
    traced.get_concrete_function()
    return traced


def _check_portable(path: Path) -> None:
    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString((path / "saved_model.pb").read_bytes())
    graphs = [graph for meta in proto.meta_graphs for graph in [meta.graph_def]]
    nodes = {n.op for g in graphs for n in g.node} | {
        n.op for g in graphs for f in g.library.function for n in f.node_def
    }
    tied = sorted(op for op in nodes if op.startswith("Cudnn"))
    if tied:
        raise ExportError(
            f"the SavedModel would run on NVIDIA GPUs only: it holds {', '.join(tied)}. Build the model's recurrent "
            "layers with use_cudnn=False, or use the layers of keras_seq."
        )
