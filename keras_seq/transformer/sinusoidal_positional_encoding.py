"""Positions as sines and cosines."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq.recurrent.cell import Tensor
from keras_seq.transformer.positions import check_base, inverse_wavelengths, positions_of


@keras.saving.register_keras_serializable(package="keras_seq")
class SinusoidalPositionalEncoding(keras.layers.Layer):
    """Adds sines and cosines of the position (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.5).

        encoding[position, 2i]     = sin(position / base^(2i / features))
        encoding[position, 2i + 1] = cos(position / base^(2i / features))

    It has no weights and no longest length. With an odd number of features the last cosine is left out.

    Args:
        base: the longest wavelength is 2 pi times this.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(batch, steps, features)`.
        positions: integers that broadcast to `(batch, steps)`; by default 0, 1, 2, …

    Output shape:
        That of the inputs. A mask goes through.

    Example:
    >>> import keras, keras_seq
    >>> encoding = keras_seq.SinusoidalPositionalEncoding()
    >>> keras.ops.convert_to_numpy(encoding(keras.ops.zeros((1, 1, 4)))).tolist()
    [[[0.0, 1.0, 0.0, 1.0]]]
    """

    def __init__(self, base: float = 10000.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.base = check_base(base)
        self.supports_masking = True
        self.built = True

    def encode(self, positions: Tensor, features: int) -> Tensor:
        """The encoding of positions of any shape: `(*positions.shape, features)`, float32."""
        even = features + features % 2
        rates = np.repeat(inverse_wavelengths(even, self.base), 2)[:features]
        phases = np.tile(np.array([0.0, np.pi / 2], "float32"), even // 2)[:features]  # sin(x + pi / 2) = cos(x)
        angles = ops.cast(ops.expand_dims(positions, -1), "float32") * ops.convert_to_tensor(rates)
        return ops.sin(angles + ops.convert_to_tensor(phases))

    def call(self, inputs: Tensor, positions: Tensor | None = None) -> Tensor:
        """The inputs with their positions; see the class for the shapes."""
        encoding = self.encode(positions_of(inputs, positions, axis=1), inputs.shape[-1])
        return inputs + ops.cast(encoding, inputs.dtype)

    def compute_output_shape(self, inputs_shape: tuple[int | None, ...], **kwargs: Any) -> tuple[int | None, ...]:
        """The shape of the inputs."""
        return inputs_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "base": self.base}
