"""The pipeline: from a trained Keras model to a verified bundle."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import keras

from keras_seq.decoding import Strategy
from keras_seq.export import onnx_graph
from keras_seq.export.bundle_writer import bundle_folder, file_specs
from keras_seq.export.endpoint import Endpoint
from keras_seq.export.errors import ExportError
from keras_seq.export.generation import generation_of
from keras_seq.export.generation_parity import verify_generation
from keras_seq.export.lowering.layer_note import ATTENTION, LayerNote, layer_notes
from keras_seq.export.lowering.markers import Markers
from keras_seq.export.lowering.target import Target
from keras_seq.export.lowering.trace import Trace
from keras_seq.export.ort_format import write_ort
from keras_seq.export.ort_parity import verify_ort
from keras_seq.export.padding import pad_candidates, padding_is_masked
from keras_seq.export.parity import Parity, Tolerance, check_parity
from keras_seq.export.quantization.text_inputs import TextInputs
from keras_seq.export.quantize import Quantization, write_quantized
from keras_seq.export.report import ExportReport
from keras_seq.export.saved_model import write_saved_model
from keras_seq.export.signature import model_signature
from keras_seq.export.streaming import check_streamable
from keras_seq.export.text.graph_text import GraphText
from keras_seq.export.text.joining import join_text
from keras_seq.export.text.string_model import behind_tokenizers
from keras_seq.export.text.text_parity import verify_text
from keras_seq.export.text.text_plan import text_plan
from keras_seq.export.tracing import find_states, keras_runner, model_endpoints, output_specs
from keras_seq.export.triton import write_triton
from keras_seq.export.triton_parity import verify_triton
from keras_seq.export.triton_settings import TritonSettings
from keras_seq.export.verification import verify_folder
from keras_seq.serving.bundle import MANIFEST_FILE, GraphSpec, Manifest, StateSpec
from keras_seq.text.tokenizer import Tokenizer

__all__ = ["FORMATS", "export_model"]

FORMATS = ("onnx", "saved_model")
_PACKAGES = ("keras_seq", "keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime", "numpy")


def export_model(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    formats: Sequence[str] = FORMATS,
    streaming: bool = False,
    generate: Strategy | None = None,
    verify: bool = True,
    overwrite: bool = False,
    allow_loop: bool = False,
    portable: bool = False,
    triton: bool | TritonSettings = False,
    ort_format: bool = False,
    quantize: str | None = None,
    validation_data=None,
    metric=None,
    max_metric_drop: float = 0.005,
    min_onnxruntime: str = "1.17",
    input_signature=None,
    dynamic_dims: dict[str, dict[int, str]] | None = None,
    tokenizer: Tokenizer | Mapping[str, Tokenizer] | None = None,
    labels: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    metadata: dict | None = None,
    tolerance: Tolerance | None = None,
    progress: Callable[[str], None] | None = None,
) -> ExportReport:
    """Exports a trained model as a bundle: a folder with ONNX graphs, a SavedModel and a manifest (docs/bundle.md).

    Recurrent layers, ours and the stock ones of Keras, alone or inside `Bidirectional`, `RNN`, `TimeDistributed` and
    nested models, become native ONNX nodes, masks included. The bundle is written whole or not at all.

    Args:
        model: A built model: Sequential, functional or subclassed. It is left as it was.
        path: The bundle's folder. Its parents are made.
        formats: What to write: `"onnx"`, `"saved_model"` or both.
        streaming: Whether to write `step.onnx` (and the SavedModel's signature `step`) too, which take the input in
            chunks of any length and carry the states. For models that only read forwards.
        generate: How the model generates, `keras_seq.BeamSearch(num_beams=4)` for one: writes `generate.onnx` (and the
            SavedModel's signature `generate`) too, with the whole decode loop inside. For models that can generate,
            such as `keras_seq.Seq2Seq`.
        verify: Whether to compare every file written with the Keras model, over a battery of inputs.
        overwrite: Whether to replace a bundle that is at `path` already.
        allow_loop: Whether a recurrent layer may be left as a slow ONNX `Loop` where it has no native form.
        portable: Whether the graphs keep to standard ONNX operators, for runtimes other than ONNX Runtime. Otherwise
            attention and GELU become operators of ONNX Runtime's own, which are faster there.
        triton: Whether to write `triton/` too, a model repository for NVIDIA Triton, with batching and streams set up
            (docs/scaling.md); `keras_seq.export.TritonSettings` says how it is to batch.
        ort_format: Whether to write each graph in ONNX Runtime's own format too (`model.ort`), and
            `required_operators.config`, for devices and reduced builds of ONNX Runtime (docs/on_device.md).
        quantize: `"int8"` or `"fp16"`: writes each graph with weights of 8 or 16 bits too, as the variant of that name
            (`model.int8.onnx`). What becomes of each layer, and why, is in the report (docs/quantization.md).
        validation_data: What quantised graphs are tried on, as `model.evaluate` takes it: `(x, y)`, or batches of such.
            A dict by graph name (`"model"`, `"step"`, `"generate"`) where they differ: a decode loop takes sources and
            whatever its metric compares with. Without any, random inputs say how far numbers move, and nothing more.
        metric: Of the task, on `validation_data`: the name of a Keras metric (`"accuracy"`), a `keras.metrics.Metric`,
            or a function `(targets, outputs) -> number` of which more is better. A dict by graph name likewise; alone
            it is of `"model"` and `"step"`.
        max_metric_drop: By how much the metric may drop, relative to what it was. Layers return to float32, the most
            sensitive first, until it does not drop further.
        min_onnxruntime: The oldest ONNX Runtime that must run the graphs. Those from 1.22 on read any mask of fused
            attention rightly, so asking for no older one makes decode loops and streams of transformers faster.
        input_signature: For subclassed models with integer inputs, the structure of the model's argument: a
            `keras.InputSpec`, or a list or dict of such.
        dynamic_dims: By input name, `{axis: name}` for dynamic dimensions other than `batch` and `time`, such as the
            two lengths of a model that reads two sequences.
        tokenizer: What turns texts into the model's ids: a `keras_seq.WordTokenizer` or another, or one for each input
            by name (and for `"target"`, what is generated). `model.onnx` and `generate.onnx` then take strings beside
            ids, and give strings back. By default that of the model: its attribute `tokenizer`, or those that the
            string inputs of a functional model go into.
        labels: What the classes of the output are called, or of each output by name: an output of strings more. Two
            labels suit a single score too, the probability of the second.
        metadata: Kept in the manifest as it is. Anything that JSON can hold.
        tolerance: Of the comparisons; the default allows `1e-5 + 1e-5 * |value|`.
        progress: Called with a line of text at the start of each stage.

    Returns:
        What was written, how each layer was lowered, and how far the numbers differ.

    Raises:
        ExportError: The model or the path cannot be used as asked; nothing is written.
        StreamingError: The model cannot run in chunks; it names the layers.
        MetricDropError: Quantised, the model loses more than `max_metric_drop` whatever stays in float32.
        ParityError: What was written computes something else than the Keras model; it is removed again.

    Example:
        ```python
        report = export_model(model, "out/tagger", tokenizer=tokenizer, labels=["O", "B", "I"])
        print(report)
        ```
    """
    say = progress or (lambda line: None)
    formats = _checked_formats(formats)
    onnx_graph.check_runtime_version(min_onnxruntime)
    _check_backend()
    _check_metadata(metadata)
    _check_triton(triton, formats)
    _check_ort_format(ort_format, formats)
    asked = Quantization(quantize, validation_data, metric, max_metric_drop)
    asked.check(formats)
    behind = behind_tokenizers(model)
    model, tokenizer = behind.model, behind.add_to(tokenizer)
    signature = model_signature(model, input_signature, dynamic_dims)
    target = Target(portable, min_onnxruntime)
    notes = layer_notes(model, target)
    generation = None if generate is None else generation_of(model, generate)
    plan = text_plan(model, signature, generation, tokenizer, labels, behind.names)
    if "onnx" in formats and (plan.readings or plan.labels) and not portable:
        onnx_graph.check_runtime_version(min_onnxruntime, strings=True)
    if streaming:
        check_streamable(model, signature)
    if "onnx" in formats and not allow_loop:
        _check_no_loops(model, notes)

    with bundle_folder(path, overwrite=overwrite) as folder:
        say("running the Keras model")
        reference = keras_runner(model, signature)
        outputs = output_specs(signature, reference)
        plan = plan.with_outputs(outputs)
        candidates = pad_candidates(model, signature)
        if padding_is_masked(signature, reference, outputs, candidates):
            padded = tuple(replace(spec, pad_value=candidates.get(spec.name)) for spec in signature.inputs)
            signature = replace(signature, inputs=padded)
        states = find_states(model, signature) if streaming else None
        endpoints = model_endpoints(model, signature, outputs, states, notes)
        if generation is not None:
            generation = generation.with_padding(signature)
            endpoints.append(generation.endpoint())

        texts = {endpoint.name: plan.of(endpoint) for endpoint in endpoints}
        tokenizers = plan.write(folder)
        graphs = {}
        if "onnx" in formats:
            forms = {}
            for endpoint in endpoints:
                say(f"writing {endpoint.name}.onnx")
                markers = Markers(target)
                graphs[endpoint.name] = _write_onnx(
                    folder, endpoint, texts[endpoint.name], model.name, markers, allow_loop
                )
                forms = markers.forms | forms  # of a layer in several graphs, that of the first is told
            notes = layer_notes(model, target, forms)
        quantization = None
        if quantize is not None:
            read = TextInputs({name: reading.layer() for name, reading in plan.readings.items()}, behind.names)
            graphs, quantization = write_quantized(folder, graphs, model, read, asked, portable, say)
        if ort_format:
            say("writing the graphs in ONNX Runtime's own format")
            graphs = write_ort(folder, graphs)
        entries = []
        if triton:
            say("writing the Triton model repository")
            entries = write_triton(folder, model.name, graphs, triton if isinstance(triton, TritonSettings) else None)
        signatures = None
        if "saved_model" in formats:
            say("writing saved_model")
            signatures = write_saved_model(model, folder / "saved_model", endpoints, texts)

        parity: list[Parity] = []
        if verify or streaming:
            say("comparing with the Keras model")
            parity = verify_folder(
                folder,
                signature.inputs,
                outputs,
                states or (),
                bool(graphs),
                signatures or [],
                reference,
                candidates,
                tolerance or Tolerance(),
                signature.limits,
                attends=any(note.lowering in ATTENTION for note in notes),
            )
        if verify and generation is not None:
            say("comparing what is generated")
            parity += verify_generation(folder, generation, bool(graphs), signatures or [])
        if verify and any(texts.values()):
            say("comparing what texts become")
            by_name = {endpoint.name: endpoint for endpoint in endpoints}
            parity += verify_text(folder, by_name, texts, bool(graphs), portable, signatures or [])
        if verify and ort_format:
            parity += verify_ort(folder, graphs)
        if verify and entries:
            say("comparing what Triton runs")
            parity += [row for entry in entries for row in verify_triton(folder, graphs[entry.graph], entry)]
        check_parity(parity)

        manifest = Manifest(
            name=model.name,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            model=_describe(model),
            versions=_versions(),
            graphs=graphs,
            files=file_specs(folder),
            onnx=_onnx_versions(target, strings=any(graph.text for graph in graphs.values())) if graphs else None,
            saved_model={"path": "saved_model", "signatures": signatures} if signatures else None,
            layers=[note.to_dict() for note in notes],
            parity=[result.to_dict() for result in parity],
            metadata=metadata or {},
            tokenizers=tokenizers,
            labels=plan.labels,
            quantization={} if quantization is None else {quantize: quantization.to_dict()},
        )
        (folder / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    return ExportReport(Path(path), manifest, tuple(notes), tuple(parity), quantization)


def _checked_formats(formats: Sequence[str]) -> tuple[str, ...]:
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown or not formats:
        raise ExportError(f"`formats` must be one or more of {list(FORMATS)}. Received: {list(formats)}.")
    return formats


def _check_backend() -> None:
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            f"exporting runs on Keras' TensorFlow backend; this process runs on {keras.backend.backend()!r}. Save the "
            "model with model.save('model.keras') and export that in a process with KERAS_BACKEND=tensorflow."
        )


def _check_metadata(metadata: dict | None) -> None:
    try:
        json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ExportError(
            f"`metadata` cannot be written to {MANIFEST_FILE}: {error}. Give it strings, finite numbers, true, false, "
            "null, lists and dicts only."
        ) from error


def _check_triton(triton: bool | TritonSettings, formats: Sequence[str]) -> None:
    if not isinstance(triton, (bool, TritonSettings)):
        raise ExportError(f"`triton` must be True, False or keras_seq.export.TritonSettings. Received: {triton!r}.")
    if triton and "onnx" not in formats:
        raise ExportError(f"Triton runs the ONNX graphs: with triton=True `formats` needs 'onnx'. Received: {formats}.")


def _check_ort_format(ort_format: bool, formats: Sequence[str]) -> None:
    if not isinstance(ort_format, bool):
        raise ExportError(f"`ort_format` must be True or False. Received: {ort_format!r}.")
    if ort_format and "onnx" not in formats:
        raise ExportError(
            f"ONNX Runtime's own format is made of the ONNX graphs: with ort_format=True `formats` needs 'onnx'. "
            f"Received: {formats}."
        )


def _check_no_loops(model: keras.Model, notes: Sequence[LayerNote]) -> None:
    loops = [note for note in notes if note.lowering == "loop"]
    if loops:
        listed = "\n".join(f"  layer {note.name!r} ({note.layer_class}): {note.reason}" for note in loops)
        raise ExportError(
            f"model {model.name!r} has recurrent layers with no native ONNX form:\n{listed}\n"
            "Change them, or pass allow_loop=True to leave them as ONNX Loops, which are several times slower."
        )


def _write_onnx(
    folder: Path, endpoint: Endpoint, text: GraphText, model_name: str, markers: Markers, allow_loop: bool
) -> GraphSpec:
    trace = Trace(markers, streaming=bool(endpoint.states))
    proto = onnx_graph.convert(endpoint.build(trace), endpoint.tensor_specs(), trace.markers)
    loops = onnx_graph.loops(proto)
    if len(loops) > endpoint.loops and not allow_loop:
        raise ExportError(
            f"{endpoint.name}.onnx would hold loops that no lowering rule knows of: {', '.join(loops[:5])}. "
            "Pass allow_loop=True to keep them."
        )
    foreign = onnx_graph.foreign_operators(proto)
    if foreign and markers.target.portable:
        raise ExportError(
            f"{endpoint.name}.onnx would hold operators that are not of the ONNX standard: {', '.join(foreign)}. "
            "Export with portable=False, for ONNX Runtime alone."
        )
    onnx_graph.finish(proto, model_name, endpoint.input_shapes(), endpoint.output_shapes())
    onnx_graph.set_defaults(proto, {option.name: (option.dtype, option.default) for option in endpoint.options})
    loop_nodes = onnx_graph.loop_body_nodes(proto)
    strings = text.in_onnx(markers.target.portable)
    if strings:
        join_text(proto, strings)
    file = f"{endpoint.name}.onnx"
    (folder / file).write_bytes(proto.SerializeToString())
    operators = onnx_graph.operators(proto)
    return GraphSpec(
        file,
        endpoint.inputs,
        endpoint.outputs,
        tuple(StateSpec(s.name, s.name, s.next_name, "float32", s.dims) for s in endpoint.states),
        sum(operators.values()),
        operators,
        options=endpoint.options,
        limits=endpoint.limits,
        decoding=endpoint.decoding and {**endpoint.decoding, "loop_nodes": loop_nodes},
        text=strings.to_spec() if strings else None,
    )


def _describe(model: keras.Model) -> dict:
    return {
        "class": type(model).__name__,
        "parameters": int(model.count_params()),
        "dtype_policy": model.dtype_policy.name,
    }


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        versions[package] = importlib.metadata.version(package)
    return versions


def _onnx_versions(target: Target, strings: bool) -> dict:
    return {
        "opset": onnx_graph.STRING_OPSET if strings else onnx_graph.OPSET,
        "ir_version": onnx_graph.STRING_IR_VERSION if strings else onnx_graph.IR_VERSION,
        "min_onnxruntime": target.min_onnxruntime,
        "portable": target.portable,
    }
