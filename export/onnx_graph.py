"""Turns a traced function into an ONNX model: conversion, names, dimensions, versions, checks."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import onnx
import tensorflow as tf
from keras.src.export.tf2onnx_lib import patch_tf2onnx

from keras_seq.export.errors import ExportError
from keras_seq.export.lowering.markers import Markers
from keras_seq.export.lowering.target import CONTRIB, version_numbers
from keras_seq.export.passes.optimise import optimise

__all__ = [
    "IR_VERSION",
    "OPSET",
    "STRING_IR_VERSION",
    "STRING_OPSET",
    "check_runtime_version",
    "convert",
    "finish",
    "foreign_operators",
    "loop_body_nodes",
    "loops",
    "operators",
    "set_defaults",
]

OPSET = 18
"""The opset of every graph: the newest that the converter writes, and old enough for every runtime asked for."""
IR_VERSION = 8
"""The IR version that came with opset 18 (ONNX 1.13); newer ones are refused by runtimes that could run the graph."""
STRING_OPSET = 20
"""The opset of graphs with strings: the first that has `StringConcat` and `RegexFullMatch`."""
STRING_IR_VERSION = 9
"""The IR version that came with opset 20 (ONNX 1.15)."""
_COPIES = "TF2ONNX_CATCH_ERRORS"
_OLDEST_RUNTIMES = {OPSET: (1, 14), STRING_OPSET: (1, 17)}


def check_runtime_version(version: str, strings: bool = False) -> None:
    """Checks that an ONNX Runtime as old as `version` can run what is written.

    Args:
        version: Such as `"1.17"`.
        strings: Whether a graph takes or gives strings.

    Raises:
        ExportError: It is older than the opset, or no version at all.
    """
    opset = STRING_OPSET if strings else OPSET
    try:
        parsed = version_numbers(version)
    except ValueError:
        raise ExportError(f"`min_onnxruntime` must be a version such as '1.17'. Received: {version!r}.") from None
    if parsed < _OLDEST_RUNTIMES[opset]:
        oldest = ".".join(map(str, _OLDEST_RUNTIMES[opset]))
        also = ", or export without tokenizer=" if strings else ""
        raise ExportError(
            f"graphs {'with strings ' * strings}are written at opset {opset}, which onnxruntime knows since {oldest}. "
            f"Received: min_onnxruntime={version!r}. Ask for {oldest} or newer{also}."
        )


def convert(function: Callable, specs: Sequence[tf.TensorSpec], markers: Markers) -> onnx.ModelProto:
    """Traces `function`, converts the graph, markers included, and simplifies it.

    Args:
        function: Takes tensors as `specs` say and returns a flat list of tensors.
        specs: Named `input_0`, `input_1`, …
        markers: What the tracing puts its recurrent nodes into.

    Returns:
        The model; its inputs and outputs are in order, under names of the converter's.

    Raises:
        ExportError: The graph holds operations that have no ONNX form.
    """
    with warnings.catch_warnings():
        # tf2onnx 1.17 uses names that NumPy 2 has dropped; Keras' patch for that looks for one in a way NumPy warns of.
        warnings.simplefilter("ignore", FutureWarning)
        patch_tf2onnx()
    traced = tf.function(function, autograph=False, input_signature=list(specs))
    with _quiet("tf2onnx") as errors:
        concrete = traced.get_concrete_function()  # here, so that errors of the model itself reach the user as they are
        try:
            with _quiet("tensorflow"):  # which cannot write down the tables of a tokenizer, where nobody asks for them
                proto = _from_function(traced, specs, markers, errors)
        except Exception as error:  # the converter raises anything, often long after the cause, which it only logs
            details = "; ".join(dict.fromkeys(errors)) or str(error)
            raise ExportError(f"the traced model could not be converted to ONNX: {details[:500]}") from error
    unknown = sorted({n.op_type for n in _nodes(proto.graph) if not n.domain and not onnx.defs.has(n.op_type)})
    if unknown:
        details = "; ".join(dict.fromkeys(errors)) or "the converter gave no reason"
        raise ExportError(f"these operations of the model have no ONNX form: {', '.join(unknown)} ({details[:500]}).")
    _bind_captured(proto.graph, concrete)
    if any(node.domain == CONTRIB for node in _nodes(proto.graph)):
        proto.opset_import.append(onnx.helper.make_opsetid(CONTRIB, 1))
    optimise(proto, portable=markers.target.portable)
    return proto


def finish(
    proto: onnx.ModelProto,
    name: str,
    inputs: Sequence[tuple[str, tuple[int | str, ...]]],
    outputs: Sequence[tuple[str, tuple[int | str, ...]]],
) -> onnx.ModelProto:
    """Gives a converted model its own names, dimensions and versions, and checks it.

    Args:
        proto: From `convert`; changed in place.
        name: The graph's name.
        inputs: Name and dimensions of each input, in order.
        outputs: Likewise.
    """
    graph = proto.graph
    _bypass_identities(graph)
    renames = {
        value.name: new_name
        for values, wanted in ((graph.input, inputs), (graph.output, outputs))
        for value, (new_name, _) in zip(values, wanted, strict=True)
    }
    inner = {n for node in _nodes(graph) for n in node.output} | {tensor.name for tensor in graph.initializer}
    for new_name in set(renames.values()) & (inner - set(renames)):
        _rename(graph, {new_name: f"{new_name}:inner"})
    _rename(graph, renames)
    for values, wanted in ((graph.input, inputs), (graph.output, outputs)):
        for value, (_, dims) in zip(values, wanted, strict=True):
            _set_dims(value, dims)
    del graph.value_info[:]
    graph.name = name
    graph.doc_string = ""
    proto.ir_version = IR_VERSION
    proto.producer_name, proto.producer_version = "keras_seq", ""
    used = {node.domain for node in _nodes(graph)}
    kept = [entry for entry in proto.opset_import if entry.domain in used]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def set_defaults(proto: onnx.ModelProto, values: dict[str, tuple[str, float]]) -> None:
    """Gives scalar inputs a value for when they are left out; ONNX has no optional inputs but these.

    Args:
        proto: Changed in place.
        values: By input name, dtype and value.
    """
    for name, (dtype, value) in values.items():
        proto.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value, dtype), name))


def operators(proto: onnx.ModelProto) -> dict[str, int]:
    """How many nodes of each type the graph has, subgraphs included; most frequent first."""
    return dict(Counter(node.op_type for node in _nodes(proto.graph)).most_common())


def foreign_operators(proto: onnx.ModelProto) -> list[str]:
    """The operators that are none of the ONNX standard, sorted."""
    return sorted({f"{node.domain}.{node.op_type}" for node in _nodes(proto.graph) if node.domain})


def loops(proto: onnx.ModelProto) -> list[str]:
    """Names of the `Loop` and `Scan` nodes."""
    return [node.name for node in _nodes(proto.graph) if node.op_type in ("Loop", "Scan")]


def loop_body_nodes(proto: onnx.ModelProto) -> int:
    """How many nodes the bodies of the graph's loops have: what is done again at every step."""
    bodies = [body for node in _nodes(proto.graph) if node.op_type in ("Loop", "Scan") for body in _subgraphs(node)]
    return sum(len(list(_nodes(body))) for body in bodies)


def _bind_captured(graph: onnx.GraphProto, concrete) -> None:
    """Makes constants of the tensors that the traced function found in its surroundings; the converter makes inputs."""
    found = concrete.captured_inputs
    values = (
        {inner.name: outer for inner, outer in zip(concrete.inputs[-len(found) :], found, strict=True)} if found else {}
    )
    for position in range(len(graph.input) - 1, -1, -1):
        name = graph.input[position].name
        if name in values:
            graph.initializer.append(onnx.numpy_helper.from_array(values[name].numpy(), name))
            del graph.input[position]


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for subgraph in _subgraphs(node):
            yield from _nodes(subgraph)


def _subgraphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]


def _bypass_identities(graph: onnx.GraphProto) -> None:
    """Removes `Identity` nodes, which converters leave at outputs and which cost a copy."""
    outputs = {value.name for value in graph.output}
    fixed = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "Identity"]:
        source, target = node.input[0], node.output[0]
        if target not in outputs:
            graph.node.remove(node)
            _rename(graph, {target: source})
        elif source not in outputs | fixed:
            graph.node.remove(node)
            _rename(graph, {source: target})


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Renames tensors, in subgraphs too."""
    for value in [*graph.input, *graph.output, *graph.initializer]:
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [names.get(n, n) for n in node.input]
        node.output[:] = [names.get(n, n) for n in node.output]
        for subgraph in _subgraphs(node):
            _rename(subgraph, names)


def _set_dims(value: onnx.ValueInfoProto, dims: tuple[int | str, ...]) -> None:
    shape = value.type.tensor_type.shape
    del shape.dim[:]
    for dim in dims:
        entry = shape.dim.add()
        if isinstance(dim, str):
            entry.dim_param = dim
        else:
            entry.dim_value = dim


def _from_function(
    traced: Callable, specs: Sequence[tf.TensorSpec], markers: Markers, errors: list[str]
) -> onnx.ModelProto:
    """The converter's graph. It copies all of it before each way to simplify, a third of its time, in case one fails.

    So it gets a first try without copies, and the second only if that fails.
    """
    import tf2onnx

    def attempt() -> onnx.ModelProto:
        settings = {"opset": OPSET, "custom_op_handlers": markers.handlers()}
        return tf2onnx.convert.from_function(traced, input_signature=list(specs), **settings)[0]

    if _COPIES not in os.environ:
        # Whatever is raised: if it has nothing to do with the copies, the second try raises it again.
        with contextlib.suppress(Exception), _environment(_COPIES, "FALSE"):
            return attempt()
        errors.clear()
    return attempt()


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Sets a variable of the environment that is not set."""
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


@contextlib.contextmanager
def _quiet(logger_name: str) -> Iterator[list[str]]:
    """Keeps a library's log off the terminal; yields its errors, which it only logs."""
    errors: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR:
                errors.append(record.getMessage().splitlines()[0])

    logger, handler = logging.getLogger(logger_name), Collect()
    before = logger.propagate, list(logger.handlers)
    logger.propagate, logger.handlers = False, [handler]
    try:
        yield errors
    finally:
        logger.propagate, logger.handlers = before


os.environ.setdefault("TF2ONNX_LOG_LEVEL", "ERROR")
