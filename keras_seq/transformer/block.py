"""What the two kinds of transformer blocks share: their arguments, their sublayers, and the way round each sublayer."""

from collections.abc import Callable
from typing import Any

import keras

from keras_seq.attention.multi_head_attention import MultiHeadAttention
from keras_seq.recurrent.cell import Identifier, Tensor
from keras_seq.transformer.feed_forward import FeedForward

NORMS = {"layer": keras.layers.LayerNormalization, "rms": keras.layers.RMSNormalization}


def new_norm(kind: str, use_bias: bool, **settings: Any) -> keras.layers.Layer:
    """A normalisation, `"layer"` or `"rms"`, that lets a mask through; with a bias if wanted and of the first kind."""
    if kind == "layer":
        settings["center"] = use_bias
    norm = NORMS[kind](**settings)
    norm.supports_masking = True  # Keras says so of the one and not of the other
    return norm


class TransformerBlock(keras.layers.Layer):
    """Base class of `TransformerEncoderBlock` and `TransformerDecoderBlock`; the arguments are described there."""

    def __init__(
        self,
        num_heads: int,
        feed_forward_units: int,
        *,
        key_dim: int | None = None,
        num_key_value_heads: int | None = None,
        rotary: keras.layers.Layer | None = None,
        activation: Identifier = "relu",
        norm: str = "layer",
        norm_first: bool = False,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        use_bias: bool = True,
        epsilon: float = 1e-5,
        flash_attention: bool | None = None,
        kernel_initializer: Identifier = "glorot_uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.feed_forward_units = feed_forward_units
        self.key_dim = key_dim
        self.num_key_value_heads = num_key_value_heads
        self.rotary = rotary
        self.activation = activation
        self.norm = norm
        self.norm_first = norm_first
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.use_bias = use_bias
        self.epsilon = epsilon
        self.flash_attention = flash_attention
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        if norm not in NORMS:
            raise ValueError(f"`norm` must be one of {', '.join(NORMS)}. Received: norm={norm!r}")
        if not isinstance(num_heads, int) or num_heads < 1:
            raise ValueError(f"`num_heads` must be a positive integer. Received: num_heads={num_heads!r}")
        self.feed_forward = FeedForward(
            feed_forward_units,
            activation,
            use_bias=use_bias,
            kernel_initializer=self.kernel_initializer,
            dtype=self.dtype_policy,
            name="feed_forward",
        )
        self.feed_forward_norm = self.new_norm("feed_forward_norm")
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout") if dropout else None
        self.supports_masking = True

    def new_norm(self, name: str) -> keras.layers.Layer:
        """A normalisation of the kind asked for."""
        return new_norm(self.norm, self.use_bias, epsilon=self.epsilon, dtype=self.dtype_policy, name=name)

    def new_attention(self, name: str, features: int, rotary: keras.layers.Layer | None = None) -> MultiHeadAttention:
        """An attention of the kind asked for.

        Raises:
            ValueError: if the heads do not divide the features, and no `key_dim` says otherwise.
        """
        if self.key_dim is None and features % self.num_heads:
            raise ValueError(
                f"`num_heads` must divide the features of the inputs of layer {self.name!r}, or `key_dim` say how "
                f"large a head is. Received: num_heads={self.num_heads}, {features} features"
            )
        return MultiHeadAttention(
            self.num_heads,
            self.key_dim or features // self.num_heads,
            num_key_value_heads=self.num_key_value_heads,
            dropout=self.attention_dropout,
            use_bias=self.use_bias,
            output_size=features,
            rotary=rotary,
            flash_attention=self.flash_attention,
            kernel_initializer=self.kernel_initializer,
            dtype=self.dtype_policy,
            name=name,
        )

    def residual(
        self, inputs: Tensor, norm: keras.layers.Layer, sublayer: Callable[[Tensor], Tensor], training: bool | None
    ) -> Tensor:
        """One sublayer with the path around it: norm(x + sublayer(x)), or x + sublayer(norm(x)) with `norm_first`."""
        outputs = sublayer(norm(inputs) if self.norm_first else inputs)
        if self.dropout_layer is not None:
            outputs = self.dropout_layer(outputs, training=training)
        outputs = inputs + outputs
        return outputs if self.norm_first else norm(outputs)

    def compute_output_shape(self, inputs_shape: tuple[int | None, ...], *_: Any, **__: Any) -> tuple[int | None, ...]:
        """The shape of the inputs."""
        return inputs_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        plain = (
            "num_heads",
            "feed_forward_units",
            "key_dim",
            "num_key_value_heads",
            "norm",
            "norm_first",
            "dropout",
            "attention_dropout",
            "use_bias",
            "epsilon",
            "flash_attention",
        )
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in plain},
            "activation": self.feed_forward.get_config()["activation"],
            "rotary": keras.saving.serialize_keras_object(self.rotary),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TransformerBlock":
        """A block made from what `get_config` gave."""
        return cls(**{**config, "rotary": keras.saving.deserialize_keras_object(config["rotary"])})
