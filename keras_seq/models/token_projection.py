"""The last layer of a model that predicts tokens."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_seq.recurrent.cell import Tensor


@keras.saving.register_keras_serializable(package="keras_seq")
class TokenProjection(keras.layers.Layer):
    """From the outputs of a decoder to logits over a vocabulary: logits = outputs kernel + bias.

    With a table of embeddings the kernel is the table transposed, as in Press & Wolf 2017
    (https://arxiv.org/abs/1608.05859): the vectors that tokens are read by are those that outputs are compared with.

    The product is computed in the layer's compute dtype; the logits are float32 under every dtype policy.

    Weights: `kernel` `(features, vocabulary_size)`, unless `tied`, and `bias` `(vocabulary_size,)`.

    Args:
        vocabulary_size: how many logits.
        tied: whether the kernel is given in each call.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        outputs: `(batch, time, features)`.
        table: embeddings, `(vocabulary_size, features)`, where `tied`.

    Output shape:
        `(batch, time, vocabulary_size)`.
    """

    def __init__(self, vocabulary_size: int, tied: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.tied = tied
        self.kernel = None
        self.supports_masking = True

    def build(self, outputs_shape: tuple[int | None, ...], table_shape: tuple[int, int] | None = None) -> None:
        """Makes the weights for outputs of `outputs_shape[-1]` features."""
        if not self.tied:
            self.kernel = self.add_weight(shape=(outputs_shape[-1], self.vocabulary_size), name="kernel")
        # No autocast: a bias of the size of the logits would lose its last digits.
        self.bias = self.add_weight(shape=(self.vocabulary_size,), name="bias", initializer="zeros", autocast=False)
        self.built = True

    def read(self, table: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The kernel, in the compute dtype, and the bias, in float32; read once for a whole loop."""
        kernel = ops.transpose(table) if self.tied else ops.convert_to_tensor(self.kernel)
        return ops.cast(kernel, self.compute_dtype), ops.cast(ops.convert_to_tensor(self.bias), "float32")

    def project(self, outputs: Tensor, weights: tuple[Tensor, Tensor]) -> Tensor:
        """The logits of outputs of any rank, with the weights that `read` gave."""
        kernel, bias = weights
        return ops.cast(ops.matmul(outputs, kernel), "float32") + bias

    def call(self, outputs: Tensor, table: Tensor | None = None) -> Tensor:
        """The logits; see the class for the shapes."""
        return self.project(outputs, self.read(table))

    def compute_output_shape(
        self, outputs_shape: tuple[int | None, ...], table_shape: tuple[int, int] | None = None
    ) -> tuple[int | None, ...]:
        """The shape of the logits."""
        return (*outputs_shape[:-1], self.vocabulary_size)

    def compute_output_spec(self, outputs: Tensor, table: Tensor | None = None) -> keras.KerasTensor:
        """The shape and dtype of the logits."""
        return keras.KerasTensor(self.compute_output_shape(outputs.shape), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "vocabulary_size": self.vocabulary_size, "tied": self.tied}
