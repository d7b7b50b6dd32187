"""What a bundle's manifest says, for people and for programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_seq.cli.output import print_line, print_table, size_text
from keras_seq.cli.quantization_view import print_quantization
from keras_seq.serving.errors import BundleError
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.manifest import Manifest
from keras_seq.serving.text_spec import TextSpec


def manifest_json(path: Path, manifest: Manifest) -> dict[str, Any]:
    """The manifest with the bundle's path in front, for `--json`."""
    return {"path": str(path), **manifest.to_dict()}


def print_manifest(path: Path, manifest: Manifest) -> None:
    """Prints what the bundle holds: graphs with their signatures, layers, comparisons, metadata, files."""
    print_line(f"{manifest.name}: bundle {path}", style="bold")
    model = manifest.model
    print_line(f"  {model['class']}, {model['parameters']:,} parameters, trained in {model['dtype_policy']}")
    print_line(f"  written {manifest.created} by keras_seq {manifest.versions.get('keras_seq', 'unknown')}")
    if manifest.onnx:
        onnx = manifest.onnx
        others = ", and for other runtimes: standard operators only" if onnx.get("portable") else ""
        print_line(
            f"  ONNX opset {onnx['opset']}, IR version {onnx['ir_version']}, for onnxruntime {onnx['min_onnxruntime']} "
            f"or newer{others}"
        )
    if manifest.saved_model:
        print_line(f"  SavedModel with the signatures {', '.join(manifest.saved_model['signatures'])}")
    for name, graph in manifest.graphs.items():
        _print_graph(name, graph)
    if manifest.tokenizers:
        rows = [[name, *_tokenizer(path / spec.file), spec.file] for name, spec in manifest.tokenizers.items()]
        print_table("tokenizers", ["of", "kind", "tokens", "settings", "file"], rows, right=["tokens"])
    if manifest.labels:
        rows = [[name, len(labels), _short(", ".join(labels))] for name, labels in manifest.labels.items()]
        print_table("labels", ["output", "count", "labels"], rows, right=["count"])
    if manifest.layers:
        rows = [[row["name"], row["class"], row["lowering"], row.get("reason") or ""] for row in manifest.layers]
        print_table("layers that run along time", ["layer", "class", "exported as", "why"], rows)
    if manifest.parity:
        print_parity("comparisons when it was written", manifest.parity)
    for variant, found in manifest.quantization.items():
        print_quantization(variant, found)
    if manifest.metadata:
        print_table("metadata", ["key", "value"], [[key, _short(value)] for key, value in manifest.metadata.items()])
    rows = [[name, size_text(spec.bytes), spec.sha256[:12]] for name, spec in manifest.files.items()]
    rows.append(["all", size_text(sum(spec.bytes for spec in manifest.files.values())), ""])
    print_table("files", ["file", "size", "sha256"], rows, right=["size"])


def print_parity(title: str, comparisons: Sequence[dict[str, Any]]) -> None:
    """Prints comparisons, one a row.

    Args:
        title: The line above.
        comparisons: Objects as `parity` in the manifest holds them.
    """
    rows = [
        [
            row["candidate"],
            row["reference"],
            row["output"],
            row["cases"],
            f"{row['max_abs_diff']:.1e}",
            f"{row['atol']:.0e} + {row['rtol']:.0e}·|value|",
            "ok" if row["passed"] else f"DIFFERS in {row.get('worst_case') or 'some case'}",
        ]
        for row in comparisons
    ]
    columns = ["what", "compared with", "output", "inputs", "largest difference", "allowed", ""]
    print_table(title, columns, rows, right=["inputs", "largest difference"])


def _print_graph(name: str, graph: GraphSpec) -> None:
    rows = []
    for spec in graph.inputs:
        remarks = [f"ids 0 to {spec.maximum}"] if spec.maximum is not None else []
        remarks += [f"padded with {spec.pad_value}"] if spec.pad_value is not None else []
        in_all = " in all chunks together" if graph.states else ""
        remarks += [f"{dim} up to {graph.limits[dim]}{in_all}" for dim in spec.shape if dim in graph.limits]
        rows.append(["input", spec.name, str(spec), ", ".join(remarks)])
    text = graph.text or TextSpec()
    rows += [["input", name, "string (batch,)", f"in place of {ids}"] for name, ids in text.inputs.items()]
    rows += [["output", spec.name, str(spec), ""] for spec in graph.outputs]
    rows += [["output", name, "string", ""] for name in text.outputs]
    for option in graph.options:
        rows.append(["option", option.name, option.dtype, str(option).partition(", ")[2]])
    for state in graph.states:
        dims = ", ".join(map(str, state.shape))
        remark = f"{state.input} → {state.output}" + (", grows from 0 steps" if state.growing_dim else "")
        rows.append(["state", state.name, f"{state.dtype} ({dims})", remark])
    operators = ", ".join(f"{count} {operator}" for operator, count in graph.operators.items())
    print_table(f"graph {name}: {graph.file}, {graph.nodes} nodes", ["", "name", "type", ""], rows)
    print_line(f"operators: {operators}")
    for variant, spec in graph.variants.items():
        print_line(f"variant {variant}: {spec.file}, {spec.nodes} nodes")
    if graph.decoding:
        print_line(f"decoding: {', '.join(f'{name} {value}' for name, value in graph.decoding.items())}")


def _tokenizer(file: Path) -> tuple[str, str, str]:
    """Kind, size of the vocabulary and settings of a tokenizer, or what is wrong with its file."""
    from keras_seq.serving.text import load_tokenizer

    try:
        tokenizer = load_tokenizer(file)
    except BundleError as error:
        return "?", "", str(error)
    kind = type(tokenizer).__name__.removesuffix("Tokenizer")
    flags = [name.replace("_", " ") for name in ("lowercase", "add_start", "add_end") if getattr(tokenizer, name)]
    flags += [f"at most {tokenizer.max_length}"] if tokenizer.max_length is not None else []
    return kind, f"{tokenizer.vocabulary_size:,}", ", ".join(flags)


def _short(value: Any, length: int = 100) -> str:
    text = str(value)
    if isinstance(value, (list, dict)) and len(text) > length:
        return f"{len(value)} entries: {text[:length]}…"
    return text if len(text) <= length else f"{text[:length]}…"
