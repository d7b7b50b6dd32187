"""What a model takes and returns: names, dtypes, dimensions, and how to call it with a flat list of tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf

from keras_seq.export.errors import ExportError
from keras_seq.export.size_limits import size_limits
from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["Signature", "model_signature", "named_inputs", "output_names"]


@dataclass(frozen=True)
class Signature:
    """How to call a model.

    Attributes:
        inputs: The inputs, flat; dynamic dimensions have names.
        call: Takes as many tensors, in that order, and returns what the model returns.
        limits: The largest sizes of dynamic dimensions, by name.
    """

    inputs: tuple[TensorSpec, ...]
    call: Callable
    limits: dict[str, int] = field(default_factory=dict)

    def tensor_specs(self) -> list[tf.TensorSpec]:
        """The inputs as TensorFlow describes them, under names that are safe in any graph."""
        return [
            tf.TensorSpec([d if isinstance(d, int) else None for d in spec.shape], spec.dtype, name=f"input_{i}")
            for i, spec in enumerate(self.inputs)
        ]


def model_signature(model: keras.Model, input_signature=None, dynamic_dims: dict | None = None) -> Signature:
    """Finds out what a model takes.

    Args:
        model: A built model.
        input_signature: For models that do not say themselves: the structure of the model's one argument (a spec, or a
            list or dict of specs), of `keras.InputSpec`, `keras.KerasTensor` or `tf.TensorSpec`.
        dynamic_dims: By input name, `{axis: name}` for dynamic axes that are not to be called `batch` (axis 0), `time`
            (axis 1) or `<input>_<axis>`.

    Raises:
        ExportError: The model was never built, or does not say what it takes.
    """
    if not isinstance(model, keras.Model):
        raise ExportError(f"`model` must be a keras.Model. Received: {model!r} of type {type(model).__name__}.")
    if not model.built:
        raise ExportError(
            f"model {model.name!r} was never built, so it has no weights to export. Call it once on real input, or "
            "give its first layer a keras.Input."
        )
    positional = True
    if input_signature is not None:
        structure = input_signature
    elif hasattr(model, "input_specs"):  # as `keras_seq.Seq2Seq` has
        structure = model.input_specs
    elif isinstance(model, keras.Sequential):
        structure = model.inputs[0]
    elif getattr(model, "_inputs_struct", None) is not None:  # functional
        structure = model._inputs_struct
    else:
        structure, positional = _recorded_arguments(model), False
    inputs = named_inputs(model, structure, dynamic_dims)

    def call(*tensors):
        arguments = keras.tree.pack_sequence_as(structure, list(tensors))
        if positional:
            return model(arguments, training=False) if _takes_training(model) else model(arguments)
        return model(**arguments, training=False) if _takes_training(model) else model(**arguments)

    return Signature(inputs, call, size_limits(model, inputs))


def named_inputs(model: keras.Model, structure, dynamic_dims: dict | None = None) -> tuple[TensorSpec, ...]:
    """The leaves of a structure of specs, each with a name, names for its dynamic axes, and its largest id.

    Args:
        model: The model that takes them. One that knows more than its layers show may have `axis_names` (like
            `dynamic_dims`), `vocabulary_sizes` (by input name) and both are believed.
        structure: Of `keras.InputSpec`, `keras.KerasTensor` or `tf.TensorSpec`.
        dynamic_dims: See `model_signature`.

    Raises:
        ExportError: A name is given twice, or `dynamic_dims` names an input that is not there.
    """
    specs = _named_specs(structure)
    _check_unique([name for name, _ in specs])
    dynamic_dims = dynamic_dims or {}
    unknown = sorted(set(dynamic_dims) - {name for name, _ in specs})
    if unknown:
        raise ExportError(
            f"`dynamic_dims` names inputs {unknown} that the model lacks. It has: {[n for n, _ in specs]}."
        )
    dims = {**getattr(model, "axis_names", {}), **dynamic_dims}
    sizes = getattr(model, "vocabulary_sizes", None)
    bounds = _embedding_bounds(model) if sizes is None else {name: size - 1 for name, size in sizes.items()}
    return tuple(_tensor_spec(name, spec, dims.get(name, {}), bounds) for name, spec in specs)


def output_names(model: keras.Model, outputs) -> list[str]:
    """Names for a model's outputs, flat: the keys of a dict, or the names of the layers that made them.

    Args:
        model: The model.
        outputs: What the model returned, or any tensors of that structure.
    """
    if isinstance(outputs, dict):
        names = [str(key) for key in outputs]
        if len(names) == len(keras.tree.flatten(outputs)):
            return sorted(names)  # the order in which keras.tree flattens a dict
    flat = keras.tree.flatten(outputs)
    names = list(getattr(model, "output_names", None) or [])
    if len(names) != len(flat):
        last = model.layers[-1].name if isinstance(model, keras.Sequential) and len(flat) == 1 else "output"
        names = [last] * len(flat)
    unique: list[str] = []
    for name in names:
        number, given = 0, name
        while given in unique or (number and given in names):
            number += 1
            given = f"{name}_{number}"
        unique.append(given)
    return unique


def _takes_training(model: keras.Model) -> bool:
    return model._call_has_training_arg


def _recorded_arguments(model: keras.Model) -> dict:
    """Shapes of a subclassed model's arguments, as Keras recorded them when it was first called."""
    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes:
        raise ExportError(
            f"model {model.name!r} does not say what it takes. Pass input_signature=keras.InputSpec(shape=(None, None, "
            "features)), or a list or dict of such."
        )
    if any(isinstance(layer, keras.layers.Embedding) for layer in model._flatten_layers()):
        raise ExportError(
            f"model {model.name!r} is subclassed and has an Embedding, so which of its inputs are integers is unknown. "
            "Pass input_signature=keras.InputSpec(shape=(None, None), dtype='int32'), or a list or dict of such."
        )
    named = {}
    for key, shape in shapes.items():
        name = "inputs" if key == "input_shape" else key.removesuffix("_shape")
        named[name] = _specs_from_shapes(shape)
    arguments = list(model._call_signature.parameters)
    if len(named) > 1:
        return named
    required = [name for name, p in model._call_signature.parameters.items() if p.default is p.empty]
    if len(required) > 1:  # without a `build` of the model's own, Keras keeps the shape of the first alone
        raise ExportError(
            f"model {model.name!r} takes several arguments, {required}, and does not say of what shapes. Make them one "
            "list or dict, and pass input_signature= with a list or dict of keras.InputSpec."
        )
    return {arguments[0]: next(iter(named.values()))}


def _specs_from_shapes(shape):
    if isinstance(shape, dict):
        return {key: _specs_from_shapes(value) for key, value in shape.items()}
    if all(size is None or isinstance(size, int) for size in shape):
        dynamic = (None, None) if len(shape) > 2 else (None,)
        return keras.InputSpec(shape=(*dynamic, *shape[len(dynamic) :]), dtype="float32")
    return [_specs_from_shapes(value) for value in shape]


def _named_specs(structure) -> list[tuple[str, object]]:
    """(name, spec) for each leaf, in the order in which keras.tree flattens."""
    specs = []
    for path, spec in keras.tree.flatten_with_path(structure):
        key = next((part for part in reversed(path) if isinstance(part, str)), None)
        if path and path[-1] == key:
            name = key
        else:  # one of a list, or alone
            name = getattr(spec, "name", None) or (f"{key}_{path[-1]}" if key else f"input_{len(specs)}")
        specs.append((name, spec))
    return specs


def _check_unique(names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ExportError(f"the model has several inputs named {twice}. Give each keras.Input a name of its own.")


def _tensor_spec(name: str, spec, dims: dict, bounds: dict) -> TensorSpec:
    sizes = tuple(None if size is None else int(size) for size in spec.shape)
    if not sizes:
        raise ExportError(f"input {name!r} is a scalar; the first axis of every input must be the batch.")
    dtype = keras.backend.standardize_dtype(spec.dtype or "float32")
    if dtype in ("bfloat16", "float16", "float64"):
        dtype = "float32"
    defaults = {0: "batch", 1: "time"}
    shape = ["batch"]
    for axis, size in enumerate(sizes[1:], start=1):
        shape.append(dims.get(axis, defaults.get(axis, f"{name}_{axis}")) if size is None else size)
    maximum = bounds.get(name, bounds.get(None)) if np.issubdtype(np.dtype(dtype), np.integer) else None
    return TensorSpec(name, dtype, tuple(shape), maximum=maximum)


def _embedding_bounds(model: keras.Model) -> dict[str | None, int]:
    """The largest valid id by input name; under None the bound for inputs that could not be followed."""
    embeddings = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Embedding)]
    if not embeddings:
        return {}
    bounds: dict[str | None, int] = {None: min(layer.input_dim for layer in embeddings) - 1}
    for layer in embeddings:
        for node in layer._inbound_nodes:
            for tensor in node.input_tensors:
                source = tensor._keras_history.operation
                if isinstance(source, keras.layers.InputLayer):
                    bounds[source.name] = min(bounds.get(source.name, layer.input_dim - 1), layer.input_dim - 1)
    return bounds
