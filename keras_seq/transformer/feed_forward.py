"""The feed-forward network of a transformer block."""

from typing import Any

import keras
from keras import ops

from keras_seq.recurrent.cell import Identifier, Tensor

SWIGLU = "swiglu"


@keras.saving.register_keras_serializable(package="keras_seq")
class FeedForward(keras.layers.Layer):
    """Two dense layers, applied to each step by itself (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, eq. 2).

        outputs = activation(inputs W_1 + b_1) W_2 + b_2

    With `activation="swiglu"` the hidden layer is gated (Shazeer 2020, https://arxiv.org/abs/2002.05202, equation 6):

        outputs = (silu(inputs W + b) * (inputs V + c)) W_2 + b_2

    Sublayers: `expand` (W_1, or W), `gate` (V, with `"swiglu"` alone) and `contract` (W_2).

    Args:
        units: size of the hidden layer.
        activation: of the hidden layer: any of Keras', such as `"relu"` or `"gelu"` (the exact one), or `"swiglu"`.
        dropout: fraction of the hidden layer to drop in training.
        use_bias: whether the dense layers have biases.
        kernel_initializer: initialiser of the kernels.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(batch, steps, features)`.
        training: whether dropout applies.

    Output shape:
        That of the inputs. A mask goes through.

    Example:
    >>> import keras, keras_seq
    >>> tuple(keras_seq.FeedForward(units=11, activation="swiglu")(keras.ops.ones((2, 7, 5))).shape)
    (2, 7, 5)
    """

    def __init__(
        self,
        units: int,
        activation: Identifier = "relu",
        dropout: float = 0.0,
        use_bias: bool = True,
        kernel_initializer: Identifier = "glorot_uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"`units` must be a positive integer. Received: units={units!r}")
        self.units = units
        self.gated = activation == SWIGLU
        self.activation = keras.activations.get("silu" if self.gated else activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.expand = self._dense(units, "expand", activation=self.activation)
        self.gate = self._dense(units, "gate") if self.gated else None
        self.dropout = dropout
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout") if dropout else None
        self.contract = None  # made by `build`, which knows the features
        self.supports_masking = True

    def _dense(self, units: int, name: str, **kwargs: Any) -> keras.layers.Dense:
        initializer = self.kernel_initializer
        return keras.layers.Dense(
            units,
            use_bias=self.use_bias,
            kernel_initializer=initializer.clone() if hasattr(initializer, "clone") else initializer,
            dtype=self.dtype_policy,
            name=name,
            **kwargs,
        )

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        """Makes the weights for inputs of `inputs_shape[-1]` features."""
        self.expand.build(inputs_shape)
        if self.gate is not None:
            self.gate.build(inputs_shape)
        self.contract = self._dense(inputs_shape[-1], "contract")
        self.contract.build((*inputs_shape[:-1], self.units))
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """The outputs; see the class for the shapes."""
        hidden = self.expand(inputs)
        if self.gate is not None:
            hidden = ops.multiply(hidden, self.gate(inputs))
        if self.dropout_layer is not None:
            hidden = self.dropout_layer(hidden, training=training)
        return self.contract(hidden)

    def compute_output_shape(self, inputs_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the inputs."""
        return inputs_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": SWIGLU if self.gated else keras.activations.serialize(self.activation),
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
