"""A model repository of NVIDIA Triton in a bundle: an entry for each way to ask one of its graphs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from keras_seq.export.errors import ExportError
from keras_seq.export.triton_config import TYPES, State, Tensor, config_text
from keras_seq.export.triton_graph import all_optional, numbers_alone, started_with_one, texts_alone
from keras_seq.export.triton_settings import TritonSettings
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.tensor_spec import StateSpec

__all__ = ["FOLDER", "TritonEntry", "triton_entries", "write_triton"]

FOLDER = "triton"
"""The model repository's folder in the bundle."""


@dataclass(frozen=True)
class TritonEntry:
    """One entry of the repository.

    Attributes:
        name: Of the entry and of its folder.
        graph: Which graph of the bundle it asks: `"model"`, `"step"`, `"generate"`.
        proto: The graph in the form that Triton takes.
        batched: Whether requests may share a call.
        states: What a stream carries.
    """

    name: str
    graph: str
    proto: onnx.ModelProto
    batched: bool = True
    states: tuple[StateSpec, ...] = ()

    @property
    def file(self) -> str:
        """Path of the entry's graph, relative to the bundle."""
        return f"{FOLDER}/{self.name}/1/model.onnx"

    @property
    def inputs(self) -> list[Tensor]:
        """What a request has."""
        defaults = {tensor.name for tensor in self.proto.graph.initializer}
        carried = {state.input for state in self.states}
        values = [value for value in self.proto.graph.input if value.name not in carried]
        return [_tensor(value, optional=value.name in defaults) for value in values]

    @property
    def outputs(self) -> list[Tensor]:
        """What a reply has."""
        carried = {state.output for state in self.states}
        return [_tensor(value) for value in self.proto.graph.output if value.name not in carried]

    def config(self, settings: TritonSettings) -> str:
        """The entry's `config.pbtxt`."""
        states = [
            State(s.input, s.output, s.dtype, tuple(dim if isinstance(dim, int) else None for dim in s.shape[1:]))
            for s in self.states
        ]
        return config_text(self.name, self.inputs, self.outputs, settings, batched=self.batched, states=states)


def write_triton(
    folder: Path, name: str, graphs: Mapping[str, GraphSpec], settings: TritonSettings | None = None
) -> list[TritonEntry]:
    """Writes the model repository `triton/` of a bundle.

    Args:
        folder: The bundle's, with its `.onnx` files in it.
        name: Of the model.
        graphs: The bundle's graphs by name.
        settings: How Triton is to batch.

    Returns:
        What was written.

    Raises:
        ExportError: Triton cannot run a graph; it says which and why.
    """
    entries = [entry for key, spec in graphs.items() for entry in triton_entries(folder, name, key, spec)]
    for entry in entries:
        file = folder / entry.file
        file.parent.mkdir(parents=True)
        file.write_bytes(entry.proto.SerializeToString())
        file.parent.with_name("config.pbtxt").write_text(entry.config(settings or TritonSettings()), encoding="utf-8")
    return entries


def triton_entries(folder: Path, name: str, key: str, spec: GraphSpec) -> Iterator[TritonEntry]:
    """The entries of one graph.

    A model that batches may have no inputs that are left out, so each choice is an entry: numbers (`NAME`), texts
    (`NAME_text`), and, where there are options, one that takes all there is and runs each request alone
    (`NAME_options`). What draws at random has the last alone: its answers depend on who else is in the batch.

    Args:
        folder: The bundle's, with the graph's file in it.
        name: Of the model.
        key: The graph's name in the bundle.
        spec: What the bundle says of it.

    Raises:
        ExportError: Triton cannot run it.
    """
    entry = _entry_name(name) + ("" if key == "model" else f"_{key}")
    proto = onnx.load(folder / spec.file)
    if spec.states:
        _check_states(spec)
        yield TritonEntry(entry, key, started_with_one(numbers_alone(proto, spec), spec), states=spec.states)
        return
    draws = any(option.name == "seed" for option in spec.options)
    if not draws:
        yield TritonEntry(entry, key, numbers_alone(proto, spec))
        if spec.text is not None and spec.text.inputs:
            yield TritonEntry(f"{entry}_text", key, texts_alone(proto, spec))
    if spec.options:
        yield TritonEntry(f"{entry}_options", key, all_optional(proto, spec), batched=False)


def _entry_name(name: str) -> str:
    """A name that is safe as a folder's and in a URL."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def _check_states(spec: GraphSpec) -> None:
    for state in spec.states:
        if len(state.shape) == 1:
            raise ExportError(
                f"state {state.name!r} of {spec.file} is one number a sequence, {state.shape}, and Triton carries "
                "states with a dimension behind the batch alone. Give it one of size 1, or export with triton=False."
            )
    # Triton holds both sides in maps and takes the n-th input for the n-th output.
    by_input = [state.name for state in sorted(spec.states, key=lambda state: state.input)]
    by_output = [state.name for state in sorted(spec.states, key=lambda state: state.output)]
    if by_input != by_output:
        names = [name for name, other in zip(by_input, by_output, strict=True) if name != other]
        raise ExportError(
            f"Triton pairs the states of {spec.file} in the order of their names, and that of the inputs is another "
            f"than that of the outputs: {', '.join(map(repr, names))}. Rename the layers, to letters, digits and "
            "underscores, or export with triton=False."
        )


def _tensor(value: onnx.ValueInfoProto, optional: bool = False) -> Tensor:
    kind = value.type.tensor_type
    dtype = "string" if kind.elem_type == onnx.TensorProto.STRING else None
    dtype = dtype or str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    if dtype not in TYPES:
        raise ExportError(
            f"{value.name!r} is of type {dtype}, which Triton does not know. It knows: {', '.join(TYPES)}."
        )
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim)
    return Tensor(value.name, dtype, shape, optional)
