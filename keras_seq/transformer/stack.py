"""What the two stacks of transformer blocks share: positions, dropout, blocks, the last normalisation."""

import functools
from typing import Any, ClassVar

import keras
from keras import ops

from keras_seq.recurrent.cell import Identifier, Tensor
from keras_seq.transformer.block import TransformerBlock, new_norm
from keras_seq.transformer.gradient_checkpointing import checkpointed
from keras_seq.transformer.learned_positional_encoding import LearnedPositionalEncoding
from keras_seq.transformer.rotary_embedding import RotaryEmbedding
from keras_seq.transformer.sinusoidal_positional_encoding import SinusoidalPositionalEncoding

POSITIONS = ("sinusoidal", "learned", "rotary", None)


class TransformerStack(keras.layers.Layer):
    """Base class of `TransformerEncoder` and `TransformerDecoder`; the arguments are described there."""

    block_class: ClassVar[type[TransformerBlock]]

    def __init__(
        self,
        num_layers: int,
        num_heads: int,
        feed_forward_units: int,
        *,
        position: str | None = "sinusoidal",
        max_length: int | None = None,
        key_dim: int | None = None,
        num_key_value_heads: int | None = None,
        activation: Identifier = "relu",
        norm: str = "layer",
        norm_first: bool = False,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        use_bias: bool = True,
        epsilon: float = 1e-5,
        flash_attention: bool | None = None,
        gradient_checkpointing: bool = False,
        kernel_initializer: Identifier = "glorot_uniform",
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        **block_arguments: Any,
    ):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        if not isinstance(num_layers, int) or num_layers < 1:
            raise ValueError(f"`num_layers` must be a positive integer. Received: num_layers={num_layers!r}")
        if position not in POSITIONS:
            raise ValueError(f"`position` must be one of {POSITIONS}. Received: position={position!r}")
        if (max_length is not None) != (position == "learned"):
            raise ValueError(
                '`max_length` is the number of learned positions: it goes with position="learned", and with that '
                f"alone. Received: position={position!r}, max_length={max_length}"
            )
        self.num_layers = num_layers
        self.position = position
        self.max_length = max_length
        self.gradient_checkpointing = gradient_checkpointing
        self.dropout = dropout
        self.norm_first = norm_first
        self.position_encoding = self._new_position_encoding()
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout") if dropout else None
        self.blocks = [
            self.block_class(
                num_heads,
                feed_forward_units,
                key_dim=key_dim,
                num_key_value_heads=num_key_value_heads,
                rotary=RotaryEmbedding(dtype=self.dtype_policy, name="rotary") if position == "rotary" else None,
                activation=activation,
                norm=norm,
                norm_first=norm_first,
                dropout=dropout,
                attention_dropout=attention_dropout,
                use_bias=use_bias,
                epsilon=epsilon,
                flash_attention=flash_attention,
                kernel_initializer=kernel_initializer,
                dtype=self.dtype_policy,
                name=f"block_{index}",
                **block_arguments,
            )
            for index in range(num_layers)
        ]
        self.final_norm = None
        if norm_first:  # the sum of all residuals was never normalised
            self.final_norm = new_norm(norm, use_bias, epsilon=epsilon, dtype=self.dtype_policy, name="final_norm")
        self.supports_masking = True

    def _new_position_encoding(self) -> keras.layers.Layer | None:
        settings = {"dtype": self.dtype_policy, "name": "position_encoding"}
        if self.position == "sinusoidal":
            return SinusoidalPositionalEncoding(**settings)
        return LearnedPositionalEncoding(self.max_length, **settings) if self.position == "learned" else None

    def build_stack(self, inputs_shape: tuple[int | None, ...], *block_shapes: Any) -> None:
        """Makes the weights: of each block for the shapes given, of the rest for inputs of that shape."""
        if len(inputs_shape) != 3 or inputs_shape[-1] is None:
            raise ValueError(
                f"Layer {self.name!r} takes embedded tokens, (batch, steps, features), the number of features known. "
                f"Received: shape {tuple(inputs_shape)}"
            )
        self.features = inputs_shape[-1]
        if self.position_encoding is not None and not self.position_encoding.built:
            self.position_encoding.build(inputs_shape)
        for block in self.blocks:
            block.build(inputs_shape, *block_shapes)
        if self.final_norm is not None:
            self.final_norm.build(inputs_shape)
        self.built = True

    def position_table(self, length: int | Tensor) -> Any:
        """What the positions 0 to `length - 1` are to the stack, for a loop that is to compute nothing of them.

        Returns:
            `(length, features)`, which is added to the inputs; with rotary positions a pair of `(length, key_dim)`,
            cosines and sines; `None` where the stack knows no positions. The rows are what `step` takes as `encoded`.
        """
        positions = ops.arange(length, dtype="int32")
        if self.position == "rotary":
            return self.blocks[0].rotary.angles(positions, self.key_dim)
        return None if self.position_encoding is None else self.position_encoding.encode(positions, self.features)

    @property
    def key_dim(self) -> int:
        """The size of a head."""
        return self.blocks[0].key_dim or self.features // self.blocks[0].num_heads

    def start(
        self, inputs: Tensor, training: bool | None, positions: Tensor | None = None, encoded: Tensor | None = None
    ) -> Tensor:
        """The inputs of the first block: with their positions, and dropout."""
        if self.position_encoding is not None:
            if encoded is None:
                inputs = self.position_encoding(inputs, positions)
            else:
                inputs = ops.cast(inputs, self.compute_dtype) + ops.cast(encoded, self.compute_dtype)
        return inputs if self.dropout_layer is None else self.dropout_layer(inputs, training=training)

    def end(self, outputs: Tensor) -> Tensor:
        """The outputs of the last block, normalised where the blocks normalise first."""
        return outputs if self.final_norm is None else self.final_norm(outputs)

    def run_block(self, block: TransformerBlock, *tensors: Tensor, training: bool | None, **masks: Any) -> Tensor:
        """One block; its insides computed again for the gradient instead of kept, with `gradient_checkpointing`."""
        run = functools.partial(block, training=training, **masks)
        if self.gradient_checkpointing and training:
            run = checkpointed(block, run)
        return run(*tensors)

    def compute_output_shape(self, inputs_shape: tuple[int | None, ...], *_: Any, **__: Any) -> tuple[int | None, ...]:
        """The shape of the inputs."""
        return inputs_shape

    def compute_output_spec(self, inputs: Tensor, *_: Any, **__: Any) -> keras.KerasTensor:
        """Shape and dtype of the outputs."""
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        of_blocks = self.blocks[0].get_config()
        kept = {
            name: value for name, value in of_blocks.items() if name not in ("name", "dtype", "trainable", "rotary")
        }
        return {
            **super().get_config(),
            **kept,
            "num_layers": self.num_layers,
            "position": self.position,
            "max_length": self.max_length,
            "gradient_checkpointing": self.gradient_checkpointing,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TransformerStack":
        """A stack made from what `get_config` gave."""
        return cls(**config)


def scale_embeddings(embedded: Tensor) -> Tensor:
    """Embedded tokens times the square root of their features (Vaswani et al. 2017, section 3.4)."""
    return embedded * ops.cast(embedded.shape[-1] ** 0.5, embedded.dtype)
