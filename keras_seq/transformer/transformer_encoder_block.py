"""One block of a transformer's encoder."""

from typing import Any

import keras

from keras_seq.recurrent.cell import Tensor
from keras_seq.transformer.block import TransformerBlock


@keras.saving.register_keras_serializable(package="keras_seq")
class TransformerEncoderBlock(TransformerBlock):
    """Self-attention and a feed-forward network, each with a residual path and a normalisation.

    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.1. With `norm_first=False`, as in the paper:

        x = attention_norm(x + self_attention(x))
        x = feed_forward_norm(x + feed_forward(x))

    and with `norm_first=True` (Xiong et al. 2020, https://arxiv.org/abs/2002.04745), which trains without warm-up:

        x = x + self_attention(attention_norm(x))
        x = x + feed_forward(feed_forward_norm(x))

    Dropout applies to the outputs of both sublayers before they are added.

    Args:
        num_heads: how many attention heads.
        feed_forward_units: size of the hidden layer of the feed-forward network.
        key_dim: size of a head; by default the features over `num_heads`, which must divide them.
        num_key_value_heads: see `keras_seq.MultiHeadAttention`.
        rotary: a `keras_seq.RotaryEmbedding`, or `None`.
        activation: of the feed-forward network: `"relu"`, `"gelu"`, `"swiglu"` or any other of Keras'.
        norm: `"layer"` (Ba et al. 2016, https://arxiv.org/abs/1607.06450) or `"rms"` (Zhang & Sennrich 2019,
            https://arxiv.org/abs/1910.07467).
        norm_first: whether to normalise before each sublayer rather than behind it.
        dropout: fraction of the sublayers' outputs to drop in training.
        attention_dropout: fraction of the attention scores to drop in training.
        use_bias: whether attention, feed-forward network and layer normalisations have biases.
        epsilon: of the normalisations.
        flash_attention: see `keras_seq.MultiHeadAttention`.
        kernel_initializer: initialiser of the kernels.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(batch, steps, features)`.
        mask: booleans `(batch, steps)`, `False` at the padding: no step attends to it. Keras fills it in.
        attention_mask: see `keras_seq.MultiHeadAttention`.
        return_attention_scores: whether to return the scores too.
        training: whether dropout applies.

    Output shape:
        That of the inputs, the mask going on; with `return_attention_scores` followed by `(batch, num_heads, steps,
        steps)`.

    Raises:
        ValueError: for heads that do not divide the features, or arguments that mean nothing.

    Example:
    >>> import keras, keras_seq
    >>> block = keras_seq.TransformerEncoderBlock(num_heads=3, feed_forward_units=13, norm_first=True)
    >>> tuple(block(keras.ops.ones((2, 7, 6))).shape)
    (2, 7, 6)
    """

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        """Makes the weights for inputs of `inputs_shape[-1]` features."""
        self.attention = self.new_attention("attention", inputs_shape[-1], self.rotary)
        self.attention_norm = self.new_norm("attention_norm")
        for layer in (self.attention, self.attention_norm, self.feed_forward, self.feed_forward_norm):
            layer.build(inputs_shape)
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """The outputs; see the class for the shapes."""
        scores = []

        def attend(x: Tensor) -> Tensor:
            outputs = self.attention(
                x,
                query_mask=mask,
                attention_mask=attention_mask,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if not return_attention_scores:
                return outputs
            scores.append(outputs[1])
            return outputs[0]

        x = self.residual(inputs, self.attention_norm, attend, training)
        x = self.residual(x, self.feed_forward_norm, self.feed_forward, training)
        return (x, *scores) if return_attention_scores else x

    def compute_output_spec(self, inputs: Tensor, return_attention_scores: bool = False, **kwargs: Any) -> Any:
        """Shape and dtype of the outputs, and of the scores where they are asked for."""
        outputs = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return outputs
        shape = (inputs.shape[0], self.num_heads, inputs.shape[1], inputs.shape[1])
        return outputs, keras.KerasTensor(shape, dtype=self.compute_dtype)
