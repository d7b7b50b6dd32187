"""The encoder of a transformer."""

from typing import ClassVar

import keras

from keras_seq.recurrent.cell import Tensor
from keras_seq.transformer.block import TransformerBlock
from keras_seq.transformer.stack import TransformerStack
from keras_seq.transformer.transformer_encoder_block import TransformerEncoderBlock


@keras.saving.register_keras_serializable(package="keras_seq")
class TransformerEncoder(TransformerStack):
    """A stack of `TransformerEncoderBlock`, positions included (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).

        x = dropout(inputs + positions)
        x = block(x)                            num_layers times
        outputs = norm(x)                       with norm_first=True alone

    A layer over embedded tokens that stands where a `Bidirectional` would: for tagging before a dense layer, for
    classification before a `GlobalAveragePooling1D`, which heeds the mask.

    Args:
        num_layers: how many blocks.
        num_heads: how many attention heads.
        feed_forward_units: size of the hidden layers of the feed-forward networks.
        position: how the blocks know positions: `"sinusoidal"`, `"learned"` (with `max_length`), `"rotary"`, or `None`
            where the inputs have them already.
        max_length: the longest sequence, with `position="learned"` alone.
        key_dim: size of a head; by default the features over `num_heads`, which must divide them.
        num_key_value_heads: see `keras_seq.MultiHeadAttention`.
        activation: of the feed-forward networks: `"relu"`, `"gelu"`, `"swiglu"` or any other of Keras'.
        norm: `"layer"` or `"rms"`.
        norm_first: whether to normalise before each sublayer rather than behind it.
        dropout: fraction of the first block's inputs and of each sublayer's outputs to drop in training.
        attention_dropout: fraction of the attention scores to drop in training.
        use_bias: whether attention, feed-forward networks and layer normalisations have biases.
        epsilon: of the normalisations.
        flash_attention: see `keras_seq.MultiHeadAttention`.
        gradient_checkpointing: whether to keep of each block its inputs alone for the gradient, and to compute the rest
            again (Chen et al. 2016, https://arxiv.org/abs/1604.06174): less memory for a third more time.
        kernel_initializer: initialiser of the kernels.
        name: of the layer.
        dtype: its dtype policy.
        trainable: whether its weights are trained.

    Call arguments:
        inputs: `(batch, steps, features)`.
        mask: booleans `(batch, steps)`, `False` at the padding: no step attends to it. Keras fills it in.
        training: whether dropout applies.

    Output shape:
        That of the inputs, the mask going on.

    Raises:
        ValueError: for heads that do not divide the features, sequences longer than `max_length`, or arguments that do
            not go together.

    Example:
    >>> import keras, keras_seq
    >>> tagger = keras.Sequential([
    ...     keras.layers.Embedding(101, 6, mask_zero=True),
    ...     keras_seq.TransformerEncoder(num_layers=2, num_heads=3, feed_forward_units=13),
    ...     keras.layers.Dense(5),
    ... ])
    >>> tuple(tagger(keras.ops.ones((2, 7), "int32")).shape)
    (2, 7, 5)
    """

    block_class: ClassVar[type[TransformerBlock]] = TransformerEncoderBlock

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        """Makes the weights for inputs of `inputs_shape[-1]` features."""
        self.build_stack(inputs_shape)

    def call(self, inputs: Tensor, mask: Tensor | None = None, training: bool | None = None) -> Tensor:
        """The outputs; see the class for the shapes."""
        x = self.start(inputs, training)
        for block in self.blocks:
            x = self.run_block(block, x, mask=mask, training=training)
        return self.end(x)

    def compute_attention_scores(self, inputs: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """What each block attends to: `(batch, num_heads, steps, steps)` a block."""
        x, every = self.start(inputs, training=False), []
        for block in self.blocks:
            x, scores = block(x, mask=mask, return_attention_scores=True, training=False)
            every.append(scores)
        return every
