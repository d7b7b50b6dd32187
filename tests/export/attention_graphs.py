"""Models that attend, turned into ONNX graphs for a target, with inputs that try every kind of mask."""

from collections import Counter

import keras
import numpy as np

from keras_seq.export import onnx_graph
from keras_seq.export.lowering.attention_form import AttentionForm
from keras_seq.export.lowering.markers import Markers
from keras_seq.export.lowering.target import Target
from keras_seq.export.lowering.trace import Trace
from keras_seq.export.signature import model_signature
from keras_seq.export.tracing import traceable

BATCH, QUERIES, STEPS, FEATURES, MEMORY = 3, 5, 7, 13, 11
HEADS, KEY_DIM = 2, 3

PLAIN = Target()
PORTABLE = Target(portable=True)
RECENT = Target(min_onnxruntime="1.22")


def symbolic() -> dict[str, keras.KerasTensor]:
    """Inputs to build a model on, by name."""
    shapes = {"x": (None, FEATURES), "memory": (None, MEMORY)}
    masks = {"x_mask": (None,), "memory_mask": (None,), "pairs": (None, None), "per_head": (HEADS, None, None)}
    return {name: keras.Input(shape, name=name) for name, shape in shapes.items()} | {
        name: keras.Input(shape, dtype="bool", name=name) for name, shape in masks.items()
    }


def arrays(names) -> dict[str, np.ndarray]:
    """Values for some of them: gaps, padding on both sides, and rows that hide everything."""
    rng = np.random.default_rng(0)
    values = {
        "x": rng.normal(size=(BATCH, QUERIES, FEATURES)).astype("float32"),
        "memory": rng.normal(size=(BATCH, STEPS, MEMORY)).astype("float32"),
        "x_mask": np.array([[1, 1, 1, 1, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool),
        "memory_mask": np.array([[1, 1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0, 0]], bool),
        "pairs": rng.random((BATCH, QUERIES, QUERIES)) < 0.5,
        "per_head": rng.random((BATCH, HEADS, QUERIES, QUERIES)) < 0.5,
    }
    values["pairs"][0, 2] = values["per_head"][1, 0, 3] = False
    return {name: values[name] for name in names}


def converted(model: keras.Model, target: Target = PLAIN) -> tuple[object, list[AttentionForm]]:
    """The finished graph of a functional model, and what its layers of attention became."""
    names = {tensor.name for tensor in model.inputs}
    others = {"memory": {1: "source"}, "memory_mask": {1: "source"}, "pairs": {1: "time", 2: "steps"}}
    others["per_head"] = {2: "time", 3: "steps"}
    signature = model_signature(model, None, {name: dims for name, dims in others.items() if name in names})
    markers = Markers(target)
    function = traceable(model, signature, Trace(markers))
    proto = onnx_graph.convert(function, signature.tensor_specs(), markers)
    shapes = [(f"output_{i}", _dims(output.shape, f"size_{i}")) for i, output in enumerate(model.outputs)]
    onnx_graph.finish(proto, "model", [(spec.name, spec.shape) for spec in signature.inputs], shapes)
    return proto, list(markers.forms.values())


def _dims(shape, name: str) -> tuple[int | str, ...]:
    return tuple("batch" if axis == 0 else size or f"{name}_{axis}" for axis, size in enumerate(shape))


def counts(proto) -> Counter:
    """Nodes by operator, in the graph and in all within it."""
    return Counter(onnx_graph.operators(proto))
