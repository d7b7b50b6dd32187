"""Writes a model as a TensorFlow SavedModel with named signatures, and runs one."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_seq.export.endpoint import Endpoint
from keras_seq.export.errors import ExportError
from keras_seq.export.lowering.trace import Trace
from keras_seq.export.parity import Runner
from keras_seq.export.text.graph_text import GraphText
from keras_seq.export.text.text_signature import SIGNATURES, text_signature

__all__ = ["saved_model_runner", "saved_model_runners", "write_saved_model"]


def write_saved_model(
    model: keras.Model, path: Path, endpoints: Sequence[Endpoint], texts: Mapping[str, GraphText] | None = None
) -> list[str]:
    """Writes `model` through Keras' export archive, a signature for each endpoint, and one more if it takes texts.

    Args:
        model: The model.
        path: A folder that does not exist yet.
        endpoints: What it can do.
        texts: By endpoint, the strings that it takes and gives.

    Returns:
        The names of the signatures.

    Raises:
        ExportError: A kernel that runs on one kind of device only has got into the graph.
    """
    archive = keras.export.ExportArchive()
    archive.track(model)
    names: list[str] = []
    for endpoint in endpoints:
        archive.add_endpoint(endpoint.signature_name, _named_function(endpoint))
        names.append(endpoint.signature_name)
        text = (texts or {}).get(endpoint.name)
        if text is not None and text.inputs:
            traced, tables = text_signature(endpoint, text)
            archive.track(tables)
            archive.add_endpoint(SIGNATURES[endpoint.name], traced)
            names.append(SIGNATURES[endpoint.name])
    with contextlib.redirect_stdout(io.StringIO()):  # TensorFlow's own line about where it wrote
        archive.write_out(str(path), verbose=False)
    _check_portable(path)
    return names


def saved_model_runner(path: Path, signature_name: str = "serving_default") -> Runner:
    """Runs one signature of a SavedModel with plain TensorFlow."""
    return saved_model_runners(path, [signature_name])[0]


def saved_model_runners(path: Path, signature_names: Sequence[str]) -> list[Runner]:
    """Runs several signatures of a SavedModel, which is loaded once."""
    loaded = tf.saved_model.load(str(path))
    return [_runner(loaded, name) for name in signature_names]


def _runner(loaded: Any, signature_name: str) -> Runner:
    function = loaded.signatures[signature_name]

    def run(inputs):
        outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    run.loaded = loaded  # the signature holds its variables weakly
    return run


def _named_function(endpoint: Endpoint) -> Callable:
    """The endpoint as a traced function whose inputs and outputs have their names."""
    function = endpoint.build(Trace(markers=None, streaming=bool(endpoint.states)))
    names = [name for name, _ in endpoint.output_shapes()]

    def call(*tensors):
        return dict(zip(names, function(*tensors), strict=True))

    traced = tf.function(call, input_signature=endpoint.tensor_specs(named=True), autograph=False)
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
