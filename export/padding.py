"""Finds out whether a model masks padding, so that rows of different lengths may share a batch."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from keras_seq.export.battery import random_inputs
from keras_seq.export.parity import Runner
from keras_seq.export.signature import Signature
from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["pad_candidates", "padding_is_masked"]


def pad_candidates(model: keras.Model, signature: Signature) -> dict[str, bool | int | float]:
    """By input name, the value that would mask a step of it, from the model's masking layers.

    Args:
        model: The model.
        signature: Of the model.

    Returns:
        0 for integers before `Embedding(mask_zero=True)`, the `mask_value` of `Masking` for floats, False for masks;
        0 for the other inputs with a time axis, whose padding counts for nothing if the rest masks it. Empty if the
        model masks nothing.
    """
    layers = list(model._flatten_layers())
    masking = [layer for layer in layers if isinstance(layer, keras.layers.Masking)]
    embedding = any(isinstance(layer, keras.layers.Embedding) and layer.mask_zero for layer in layers)
    masks = [spec for spec in signature.inputs if spec.dtype == "bool"]
    if not (masking or embedding or masks):
        return {}
    floats = float(masking[0].mask_value) if masking else 0.0
    values = {}
    for spec in signature.inputs:
        if "time" in spec.shape:
            values[spec.name] = False if spec.dtype == "bool" else floats if spec.dtype.startswith("float") else 0
    return values


def padding_is_masked(
    signature: Signature, run: Runner, outputs: Sequence[TensorSpec], candidates: dict[str, bool | int | float]
) -> bool:
    """Whether a row computes the same alone and padded to a longer one's length, tried on the model itself.

    Args:
        signature: Of the model.
        run: Runs the model.
        outputs: Of the model.
        candidates: From `pad_candidates`.
    """
    timed = [spec.name for spec in signature.inputs if "time" in spec.shape]
    if not timed or set(timed) - set(candidates):
        return False
    limits, rng = signature.limits, np.random.default_rng(1)
    padded = random_inputs(signature.inputs, rng, batch=1, time=7, limits=limits)
    steps = max(1, padded[timed[0]].shape[1] - 2)
    alone = {name: value[:, :steps] if name in timed else value for name, value in padded.items()}
    for name in timed:
        padded[name][:, steps:] = candidates[name]
    short, long = run(alone), run(padded)
    for spec in outputs:
        value = long[spec.name]
        if "time" in spec.shape:
            value = np.take(value, range(steps), axis=spec.shape.index("time"))
        if value.shape != short[spec.name].shape or not np.allclose(value, short[spec.name], rtol=1e-5, atol=1e-6):
            return False
    return True
