"""Positions by rotation."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq.recurrent.cell import Tensor
from keras_seq.transformer.positions import check_base, inverse_wavelengths, positions_of


@keras.saving.register_keras_serializable(package="keras_seq")
class RotaryEmbedding(keras.layers.Layer):
    """Turns the queries and keys of attention by angles that grow with the position.

    Su et al. 2021, https://arxiv.org/abs/2104.09864, equation 15. Features i and i + size / 2 of a head are the plane
    that is turned (the layout of GPT-NeoX and LLaMA; the paper pairs neighbours, which is the same up to the order of
    the features):

        angle = position * base^(-2i / size)
        turned[i]            = head[i] cos(angle) - head[i + size / 2] sin(angle)
        turned[i + size / 2] = head[i + size / 2] cos(angle) + head[i] sin(angle)

    The product of a query and a key so turned depends on the difference of their positions alone. No weights, no
    longest length.

    Args:
        base: the longest wavelength is 2 pi times this.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        heads: `(batch, heads, steps, size)`; `size` even.
        positions: integers that broadcast to `(batch, steps)`, by default 0, 1, 2, …; or what `angles` gave for such.

    Output shape:
        That of `heads`.

    Example:
    >>> import keras, keras_seq
    >>> attention = keras_seq.MultiHeadAttention(num_heads=3, key_dim=4, rotary=keras_seq.RotaryEmbedding())
    >>> tuple(attention(keras.ops.ones((2, 7, 5))).shape)
    (2, 7, 5)
    """

    def __init__(self, base: float = 10000.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.base = check_base(base)
        self.built = True

    def angles(self, positions: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines for positions of any shape, each `(*positions.shape, size)`, float32."""
        if size % 2:
            raise ValueError(f"rotary embeddings turn pairs of features: `size` must be even. Received: size={size}")
        rates = np.tile(inverse_wavelengths(size, self.base), 2)
        angles = ops.cast(ops.expand_dims(positions, -1), "float32") * ops.convert_to_tensor(rates)
        return ops.cos(angles), ops.sin(angles)

    def call(self, heads: Tensor, positions: Tensor | tuple[Tensor, Tensor] | None = None) -> Tensor:
        """The heads, turned; see the class for the shapes."""
        if not isinstance(positions, tuple):
            positions = self.angles(positions_of(heads, positions, axis=2), heads.shape[-1])
        # (batch, steps, size) is the same for all heads
        cosines, sines = (ops.expand_dims(x, 1) if len(x.shape) == 3 else x for x in positions)
        first, second = ops.split(heads, 2, axis=-1)
        across = ops.concatenate([-second, first], axis=-1)
        return heads * ops.cast(cosines, heads.dtype) + across * ops.cast(sines, heads.dtype)

    def compute_output_shape(self, heads_shape: tuple[int | None, ...], **kwargs: Any) -> tuple[int | None, ...]:
        """The shape of `heads`."""
        return heads_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "base": self.base}
