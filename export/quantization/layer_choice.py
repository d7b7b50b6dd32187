"""What quantisation will make of a layer's weights, told before anything is exported."""

from __future__ import annotations

import keras
import numpy as np

import keras_seq
from keras_seq.export.errors import NotNativeError
from keras_seq.export.lowering.attention_weights import attention_weights, is_attention
from keras_seq.export.lowering.recurrent import native_cells
from keras_seq.export.quantization.choice import choose_half, choose_product, choose_recurrent, choose_stored
from keras_seq.export.quantization.decision import FLOAT

__all__ = ["layer_choice"]


def layer_choice(layer: keras.Layer, bits: int) -> tuple[str, str]:
    """The form of a layer's weights, its parts' included, and why; empty where there is nothing to quantise.

    Args:
        layer: A built layer.
        bits: 8 or 16.
    """
    choices = _choices(layer) if bits == 8 else [choose_half(size) for size in _sizes(layer)]
    worth = [choice for choice in dict.fromkeys(choices) if choice[0] != FLOAT] or choices[:1]
    forms = ", ".join(dict.fromkeys(form for form, _ in worth))
    return forms, "; ".join(reason for _, reason in worth)


def _choices(layer: keras.Layer) -> list[tuple[str, str]]:
    if isinstance(layer, keras.layers.RNN) and not isinstance(layer, keras_seq.AttentionDecoder):
        try:
            cells = native_cells(layer, layer.name)
        except NotNativeError:
            return [choose_product(size) for size in _sizes(layer)]
        return [
            choose_recurrent(
                cell.operator,
                cell.units,
                cell.weights["W"].size + cell.weights["R"].size,
                tuple(activation.name for activation in cell.activations),
            )
            for cell in cells
        ]
    if is_attention(layer):
        try:
            weights = attention_weights(layer)
        except NotNativeError:
            return [choose_product(size) for size in _sizes(layer)]
        return [choose_product(weights.packed(*names)[0].size) for names in (("query", "key", "value"), ("output",))]
    if isinstance(layer, keras.layers.Embedding):
        return [choose_stored(size, "looked up, not multiplied") for size in _sizes(layer)]
    parts = list(layer._flatten_layers(include_self=False, recursive=False))
    own = {id(weight) for part in parts for weight in part.weights}
    mine = [
        choose_product(_size(weight)) for weight in layer.weights if id(weight) not in own and len(weight.shape) > 1
    ]
    return mine + [choice for part in parts for choice in _choices(part)]


def _sizes(layer: keras.Layer) -> list[int]:
    return [_size(weight) for weight in layer.weights if len(weight.shape) > 1]


def _size(weight: keras.Variable) -> int:
    return int(np.prod(weight.shape))
