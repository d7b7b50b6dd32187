"""Names that tell the layers of a model from each other where their own do not."""

from __future__ import annotations

from collections.abc import Sequence

import keras

import keras_seq
from keras_seq.transformer.block import TransformerBlock
from keras_seq.transformer.stack import TransformerStack

__all__ = ["layer_names"]


def layer_names(layers: Sequence[keras.Layer]) -> dict[int, str]:
    """Names that tell the layers of one stack from those of another; `layers` with each stack before what is in it."""
    names: dict[int, str] = {}
    for layer in layers:
        own = names.get(id(layer), layer.name)
        if isinstance(layer, keras_seq.StackedRNN):
            names |= {id(sublayer): f"{own}.{index}" for index, sublayer in enumerate(layer.layers)}
        elif isinstance(layer, (TransformerBlock, TransformerStack)):
            names |= {id(sublayer): f"{own}.{sublayer.name}" for sublayer in layer._layers}
    return names
