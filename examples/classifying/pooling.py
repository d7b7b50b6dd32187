"""From an output for each word to one for the whole text."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="examples")
class MeanAndMax(keras.layers.Layer):
    """The mean and the largest value of each feature over the steps that are not masked.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: `(batch, time)`, false for padding; a text of padding alone gives zeros.

    Output shape:
        `(batch, 2 * features)`.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        kept = ops.ones_like(inputs[..., :1]) if mask is None else ops.cast(mask, inputs.dtype)[..., None]
        count = ops.sum(kept, axis=1)
        mean = ops.sum(inputs * kept, axis=1) / ops.maximum(count, 1)
        largest = ops.max(inputs * kept - 1e4 * (1 - kept), axis=1)  # outputs of a GRU lie between -1 and 1
        return ops.concatenate([mean, ops.where(count > 0, largest, 0)], axis=-1)

    def compute_mask(self, inputs, mask=None):
        """None: there is one output a text, and nothing left to mask."""

    def compute_output_shape(self, input_shape):
        """`(batch, 2 * features)`."""
        return (input_shape[0], 2 * input_shape[-1])
