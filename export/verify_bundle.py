"""Repeats a bundle's verification, on this machine, at any later time."""

from __future__ import annotations

import os
from dataclasses import replace

import keras

from keras_seq.export.errors import ExportError
from keras_seq.export.generation import generation_of, recorded_strategy
from keras_seq.export.generation_parity import verify_generation
from keras_seq.export.lowering.layer_note import ATTENTION
from keras_seq.export.lowering.trace import StreamState
from keras_seq.export.padding import pad_candidates
from keras_seq.export.parity import Parity, Tolerance
from keras_seq.export.signature import model_signature
from keras_seq.export.text.recorded_text import recorded_texts
from keras_seq.export.text.string_model import behind_tokenizers
from keras_seq.export.text.text_parity import verify_text
from keras_seq.export.tracing import keras_runner
from keras_seq.export.verification import verify_folder
from keras_seq.serving.bundle import Bundle

__all__ = ["verify_bundle"]


def verify_bundle(
    path: str | os.PathLike,
    model: keras.Model | None = None,
    *,
    input_signature=None,
    dynamic_dims: dict[str, dict[int, str]] | None = None,
    tolerance: Tolerance | None = None,
) -> list[Parity]:
    """Checks a bundle's files, runs everything in it on a battery of inputs, and compares.

    Args:
        path: The bundle.
        model: The Keras model to compare with. Without it the bundle's own forms are compared with each other:
            the SavedModel with the ONNX graph, and a stream cut into chunks with one that is not. What the bundle
            generates is compared with the model alone, which knows where rounding decides. Texts are compared with
            their ids, and those with the tokenizers', in either case.
        input_signature: As given to `export_model`.
        dynamic_dims: As given to `export_model`.
        tolerance: Of the comparisons; the default allows `1e-5 + 1e-5 * |value|`.

    Returns:
        One record a comparison, passed or not.

    Raises:
        BundleError: A file is missing or altered, or the manifest is damaged.
        ExportError: The model takes other inputs than the bundle.
        ParityError: A text becomes other ids in one runtime than in another.
    """
    bundle = Bundle.load(path)
    manifest = bundle.manifest
    graph = manifest.graphs.get("model")
    if graph is None:
        raise ExportError(f"{path} has no ONNX graph, so its manifest does not say what the model takes.")
    step = manifest.graphs.get("step")
    states = [StreamState(state.name, state.shape[1:]) for state in step.states] if step else []
    pad_values = {spec.name: spec.pad_value for spec in graph.inputs if spec.pad_value is not None}
    reference = None
    if model is not None:
        model = behind_tokenizers(model).model
        signature = model_signature(model, input_signature, dynamic_dims)
        taken, given = [(s.name, s.shape) for s in graph.inputs], [(s.name, s.shape) for s in signature.inputs]
        if taken != given:
            raise ExportError(f"the bundle takes {taken}, but the model {model.name!r} takes {given}.")
        reference = keras_runner(model, signature)
        pad_values = pad_candidates(model, signature)
    signatures = manifest.saved_model["signatures"] if manifest.saved_model else []
    results = verify_folder(
        bundle.path,
        graph.inputs,
        graph.outputs,
        states,
        has_onnx=True,
        signatures=signatures,
        reference=reference,
        pad_values=pad_values,
        tolerance=tolerance or Tolerance(),
        limits=graph.limits,
        attends=any(row["lowering"] in ATTENTION for row in manifest.layers),
    )
    generate = manifest.graphs.get("generate")
    if model is not None and generate is not None:
        generation = generation_of(model, recorded_strategy(generate))
        generation = replace(generation, inputs=generate.inputs)
        results += verify_generation(bundle.path, generation, has_onnx=True, signatures=signatures)
    if manifest.tokenizers or manifest.labels:
        texts = recorded_texts(bundle)
        portable = bool((manifest.onnx or {}).get("portable"))
        results += verify_text(bundle.path, manifest.graphs, texts, True, portable, signatures)
    return results
