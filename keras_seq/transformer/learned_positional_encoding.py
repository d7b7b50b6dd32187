"""Positions as learned vectors."""

from typing import Any

import keras
from keras import ops

from keras_seq.attention.known import known_values
from keras_seq.decoding.loop import gather_rows
from keras_seq.recurrent.cell import Identifier, Tensor
from keras_seq.transformer.positions import positions_of


@keras.saving.register_keras_serializable(package="keras_seq")
class LearnedPositionalEncoding(keras.layers.Layer):
    """Adds a learned vector for each position (Gehring et al. 2017, https://arxiv.org/abs/1705.03122, section 3.1).

    Weights: `embeddings` `(max_length, features)`.

    Args:
        max_length: how many positions there are.
        embeddings_initializer: initialiser of the vectors.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(batch, steps, features)`.
        positions: integers that broadcast to `(batch, steps)`; by default 0, 1, 2, …

    Output shape:
        That of the inputs. A mask goes through.

    Raises:
        ValueError: for positions past the table, where they are known.

    Example:
    >>> import keras, keras_seq
    >>> encoding = keras_seq.LearnedPositionalEncoding(max_length=13)
    >>> tuple(encoding(keras.ops.zeros((2, 7, 5))).shape)
    (2, 7, 5)
    """

    def __init__(self, max_length: int, embeddings_initializer: Identifier = "uniform", **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(max_length, int) or max_length < 1:
            raise ValueError(f"`max_length` must be a positive integer. Received: max_length={max_length!r}")
        self.max_length = max_length
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.supports_masking = True

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        """Makes the weights for inputs of `inputs_shape[-1]` features."""
        self.embeddings = self.add_weight(
            shape=(self.max_length, inputs_shape[-1]), name="embeddings", initializer=self.embeddings_initializer
        )
        self.built = True

    def encode(self, positions: Tensor, features: int | None = None) -> Tensor:
        """The vectors of positions of any shape: `(*positions.shape, features)`."""
        self._check(known_values(positions))
        table = ops.cast(ops.convert_to_tensor(self.embeddings), self.compute_dtype)
        return gather_rows(table, ops.cast(positions, "int32"))

    def call(self, inputs: Tensor, positions: Tensor | None = None) -> Tensor:
        """The inputs with their positions; see the class for the shapes."""
        self._check_steps(inputs, positions)
        return inputs + self.encode(positions_of(inputs, positions, axis=1))

    def _check_steps(self, inputs: Tensor, positions: Tensor | None) -> None:
        steps = inputs.shape[1]
        if positions is None and steps is not None and steps > self.max_length:
            raise ValueError(self._refusal(f"{steps} steps"))

    def _check(self, positions: Any) -> None:
        if positions is not None and positions.size and not 0 <= positions.min() <= positions.max() < self.max_length:
            raise ValueError(self._refusal(f"positions from {positions.min():g} to {positions.max():g}"))

    def _refusal(self, received: str) -> str:
        return (
            f"Layer {self.name!r} has learned {self.max_length} positions, 0 to {self.max_length - 1}. Received: "
            f"{received}. Shorten the sequence, make the layer with a larger `max_length`, or use sinusoidal or rotary "
            "positions, which have no longest length."
        )

    def compute_output_shape(self, inputs_shape: tuple[int | None, ...], **kwargs: Any) -> tuple[int | None, ...]:
        """The shape of the inputs."""
        return inputs_shape

    def compute_output_spec(self, inputs: Tensor, positions: Tensor | None = None) -> keras.KerasTensor:
        """Shape and dtype of the outputs."""
        self._check_steps(inputs, positions)
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "max_length": self.max_length,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }
