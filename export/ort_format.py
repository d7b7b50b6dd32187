"""Writes the graphs of a bundle in ONNX Runtime's own format, and what a reduced build of it must hold for them.

A `.ort` file is optimised once, here: of a file in this format ONNX Runtime runs the nodes as they stand, in a full
build as well (it folds no constants and fuses nothing when it loads one). So two things are decided at this place.

- The optimisations are those of the level "extended": they hold for every processor. Layouts and fusions made for this
  machine's (the level "all"), and packed weights, stay out.
- Weights that are stored small and widened by a `Cast` (float16, or int8 before a product with their scale) stay
  small. Folded, the file would be as large as that of the float graph. The price is the `Cast`, once a call, of tables
  only for the rows that are read; where that matters, `model.ort` is the file that has no such nodes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime

from keras_seq.export import onnx_graph
from keras_seq.export.errors import ExportError
from keras_seq.export.ort_weights import gather_before_widening, hold_back_small_weights
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.session import disabled_optimizers
from keras_seq.serving.variant_spec import VariantSpec

__all__ = ["ORT", "REQUIRED_OPERATORS", "write_ort"]

ORT = "ort"
"""The variant in ONNX Runtime's format; of a variant `int8` it is `int8.ort`."""
REQUIRED_OPERATORS = "required_operators.config"
"""What `build.py --include_ops_by_config` of ONNX Runtime takes."""
_IDENTIFIER = b"ORTM"  # of a file in that format, behind the offset of its root
_PROVIDERS = ["CPUExecutionProvider"]


def write_ort(folder: Path, graphs: Mapping[str, GraphSpec]) -> dict[str, GraphSpec]:
    """Writes a `.ort` file beside every `.onnx` file of a bundle's graphs, and `required_operators.config` for all.

    Args:
        folder: The bundle.
        graphs: By name; every variant that they have is written too.

    Returns:
        The graphs with their new variants: `ort`, and for each variant of before `<variant>.ort`.

    Raises:
        ExportError: ONNX Runtime cannot write the format, or a graph in it; the message names the graph's file.
    """
    written = {}
    for name, graph in graphs.items():
        variants = dict(graph.variants)
        sources = {ORT: graph.file} | {f"{v}.{ORT}": spec.file for v, spec in graph.variants.items()}
        for variant, file in sources.items():
            variants[variant] = _write(folder, file)
        written[name] = replace(graph, variants=variants)
    files = [folder / spec.file for graph in written.values() for v, spec in graph.variants.items() if _is_ort(v)]
    _write_required_operators(folder, files)
    return written


def _is_ort(variant: str) -> bool:
    return variant == ORT or variant.endswith(f".{ORT}")


def _write(folder: Path, file: str) -> VariantSpec:
    """One graph: optimised as ONNX with its small weights held back, then written as it is in the other format."""
    target = str(Path(file).with_suffix(f".{ORT}").as_posix())
    with tempfile.TemporaryDirectory() as scratch:
        optimised = Path(scratch) / "optimised.onnx"
        proto = onnx.load(folder / file)
        gather_before_widening(proto.graph)
        names = hold_back_small_weights(proto.graph)
        level = onnxruntime.GraphOptimizationLevel
        _save(file, proto, optimised, level.ORT_ENABLE_EXTENDED, "ONNX")
        proto = onnx.load(optimised)
        for position in range(len(proto.graph.input) - 1, -1, -1):
            if proto.graph.input[position].name in names:
                del proto.graph.input[position]
        _save(file, proto, folder / target, level.ORT_DISABLE_ALL, "ORT")
    operators = onnx_graph.operators(proto)
    return VariantSpec(target, sum(operators.values()), operators)


def _save(
    file: str, proto: onnx.ModelProto, target: Path, level: onnxruntime.GraphOptimizationLevel, form: str
) -> None:
    """Lets ONNX Runtime optimise a graph and write it down."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # a warning that the file is for this machine, which at these levels it is not
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(target)
    options.add_session_config_entry("session.save_model_format", form)
    options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        onnxruntime.InferenceSession(
            proto.SerializeToString(),
            options,
            providers=_PROVIDERS,
            disabled_optimizers=disabled_optimizers(_PROVIDERS),
            enable_fallback=0,
        )
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        raise ExportError(
            f"{file} cannot be written in ONNX Runtime's own format by onnxruntime {onnxruntime.__version__}: {error} "
            "Export with ort_format=False."
        ) from error
    if form == "ORT" and (not target.is_file() or target.read_bytes()[4:8] != _IDENTIFIER):
        raise ExportError(
            f"this onnxruntime ({onnxruntime.__version__}) does not write ONNX Runtime's own format: of {file} it made "
            "something else. Install the full build, `pip install onnxruntime`, or export with ort_format=False."
        )


def _write_required_operators(folder: Path, files: list[Path]) -> None:
    """Operators, and the types they are used with, of all files together."""
    target = folder / REQUIRED_OPERATORS
    with _untouched_process():
        try:
            from onnxruntime.tools.ort_format_model import create_config_from_models
        except ImportError as error:
            raise ExportError(
                f"{REQUIRED_OPERATORS} cannot be written, as a part of onnxruntime's Python package is missing: "
                f"{error}. Install it whole, `pip install onnxruntime`, or export with ort_format=False."
            ) from error
        create_config_from_models(files, target, enable_type_reduction=True)
    text = target.read_text(encoding="utf-8").replace(f"{folder}{os.sep}", "")  # no place of this machine
    target.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _untouched_process() -> Iterator[None]:
    """Takes back what the tool does to its process: a handler at the root of all logs and a place in `sys.path`.

    It also leaves the closing of its files to the garbage collector, which is no news to anybody.
    """
    root, path, disabled = logging.getLogger(), list(sys.path), logging.root.manager.disable
    handlers = list(root.handlers)
    logging.disable(logging.INFO)
    try:
        with warnings.catch_warnings(category=ResourceWarning, action="ignore"):
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:], sys.path[:] = handlers, path
