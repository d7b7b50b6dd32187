"""How long the sequences may be that a model takes."""

from __future__ import annotations

from collections.abc import Sequence

import keras

import keras_seq
from keras_seq.export.lowering.time_distributed import inside_time_distributed
from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["size_limits"]


def size_limits(model: keras.Model, inputs: Sequence[TensorSpec]) -> dict[str, int]:
    """The largest sizes of the dynamic dimensions of a model's inputs, by name.

    A model that has `size_limits` is believed. In any other the shortest table of learned positions limits `time`.

    Args:
        model: The model.
        inputs: What it takes.
    """
    known = getattr(model, "size_limits", None)
    if known is None:
        inside = inside_time_distributed(model)
        tables = [
            layer.max_length
            for layer in model._flatten_layers()
            if isinstance(layer, keras_seq.LearnedPositionalEncoding) and id(layer) not in inside
        ]
        known = {"time": min(tables)} if tables else {}
    dims = {dim for spec in inputs for dim in spec.shape}
    return {dim: size for dim, size in known.items() if dim in dims}
