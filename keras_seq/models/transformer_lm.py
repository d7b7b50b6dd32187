"""The transformer that goes on writing."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops
from keras.src.utils.naming import uniquify
from keras.src.utils.tracking import DotNotTrackScope

from keras_seq.models.argument_checks import check_learned_positions, vocabulary_size_of
from keras_seq.models.description import describe_transformer
from keras_seq.models.token_projection import TokenProjection
from keras_seq.models.transformer_lm_decoding import TransformerLMDecoding
from keras_seq.models.transformer_model import TransformerModel
from keras_seq.recurrent.cell import Identifier, Tensor
from keras_seq.transformer.stack import scale_embeddings
from keras_seq.transformer.transformer_decoder import TransformerDecoder


@keras.saving.register_keras_serializable(package="keras_seq")
class TransformerLM(TransformerModel, TransformerLMDecoding, keras.Model):
    """A language model: the decoder of a transformer alone.

    Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training". The model of P(y), the product
    over t of P(y<t> | y<1>, …, y<t-1>). What happens to a batch, with the names of the layers:

        ids  → embedding × √features → decoder, causal → output → logits of the next token

    For `fit`, `y` is the sequence and `x` the same one step late:

        ids         7  4  9  2  0  0        the end token is 2, padding 0
        ids_in      1  7  4  9  2  0        the start token is 1

    Padding is the id 0, behind the tokens: nothing attends to it. Train with `keras_seq.SequenceCrossentropy`, which
    leaves it out of the loss. The defaults are those of today's language models: rotary positions, RMS norm before each
    sublayer, SwiGLU (Touvron et al. 2023, https://arxiv.org/abs/2302.13971).

    Args:
        vocabulary_size: how many ids there are, the padding counted; by default as many as the tokenizer has.
        features: the size of the vectors between the blocks.
        num_heads: how many attention heads share them.
        feed_forward_units: size of the hidden layers of the feed-forward networks.
        num_layers: how many blocks.
        dropout: fraction of the embedded tokens and of each sublayer's outputs to drop in training.
        position: `"rotary"`, `"sinusoidal"` or `"learned"`; `None` for none.
        norm: `"rms"` or `"layer"`.
        norm_first: whether to normalise before each sublayer rather than behind it.
        activation: of the feed-forward networks: `"swiglu"`, `"relu"`, `"gelu"` or any other of Keras'.
        num_key_value_heads: see `keras_seq.MultiHeadAttention`.
        tie_output: whether the output layer shares the embeddings (Press & Wolf 2017,
            https://arxiv.org/abs/1608.05859).
        max_length: the longest sequence, prompt and end token counted; `None` for no limit. Learned positions need it.
        start_id: the id before the first token.
        end_id: the id behind the last one.
        gradient_checkpointing: see `keras_seq.TransformerEncoder`.
        tokenizer: of `keras_seq.text`, kept with the model: with it `generate`, `stream` and `log_prob` take texts.
        name: of the model.
        **kwargs: `dtype`, `trainable`.

    Call arguments:
        ids: `(batch, time)`, the start token first.
        training: whether dropout applies.

    Output shape:
        Logits `(batch, time, vocabulary_size)`, float32 under every dtype policy.

    Raises:
        ValueError: for arguments that do not go together; when called, for ids outside the vocabulary, sequences that
            are too long, or another number of axes. What is in a tensor is looked at where it can be: outside `fit`.

    Example:
    >>> import keras, keras_seq, numpy as np
    >>> model = keras_seq.TransformerLM(
    ...     vocabulary_size=13, features=8, num_heads=2, feed_forward_units=16, num_layers=1
    ... )
    >>> ids = np.array([[8, 9, 5, 2], [10, 6, 2, 0]])
    >>> ids_in = np.array([[1, 8, 9, 5], [1, 10, 6, 2]])
    >>> model.compile("adam", keras_seq.SequenceCrossentropy())
    >>> history = model.fit(ids_in, ids, epochs=1, verbose=0)
    >>> tuple(model.log_prob(ids).shape)  # log P(y)
    (2,)
    >>> prompts = [[8, 9], [10, 0]]
    >>> tuple(model.generate(prompts, keras_seq.Sampling(max_length=3, num_samples=5)).scores.shape)
    (2, 5)
    """

    arguments: ClassVar[tuple[str, ...]] = (
        "vocabulary_size",
        "features",
        "num_heads",
        "feed_forward_units",
        "num_layers",
        "dropout",
        "position",
        "norm",
        "norm_first",
        "num_key_value_heads",
        "tie_output",
        "max_length",
        "start_id",
        "end_id",
        "gradient_checkpointing",
    )
    layer_arguments: ClassVar[tuple[str, ...]] = ("tokenizer",)

    def __init__(
        self,
        *,
        vocabulary_size: int | None = None,
        features: int = 512,
        num_heads: int = 8,
        feed_forward_units: int = 2048,
        num_layers: int = 6,
        dropout: float = 0.1,
        position: str | None = "rotary",
        norm: str = "rms",
        norm_first: bool = True,
        activation: Identifier = "swiglu",
        num_key_value_heads: int | None = None,
        tie_output: bool = True,
        max_length: int | None = None,
        start_id: int = 1,
        end_id: int = 2,
        gradient_checkpointing: bool = False,
        tokenizer: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name or uniquify("transformer_lm"), **kwargs)
        with DotNotTrackScope():  # no part of what is computed: strings would keep XLA off
            self.tokenizer = tokenizer
        self.vocabulary_size = vocabulary_size_of(tokenizer, vocabulary_size, start_id, end_id)
        self.features = features
        self.num_heads = num_heads
        self.feed_forward_units = feed_forward_units
        self.num_layers = num_layers
        self.dropout = dropout
        self.position = position
        self.norm = norm
        self.norm_first = norm_first
        self.activation = activation
        self.num_key_value_heads = num_key_value_heads
        self.tie_output = tie_output
        self.max_length = max_length
        self.start_id = start_id
        self.end_id = end_id
        self.gradient_checkpointing = gradient_checkpointing
        self.check_arguments("num_layers", vocabulary="vocabulary_size", optional=("max_length",))
        check_learned_positions(self, "max_length")
        self.embedding = self.token_embedding(self.vocabulary_size, "embedding")
        self.decoder = TransformerDecoder(
            num_layers, cross_attention=False, name="decoder", **self.stack_arguments(max_length)
        )
        self.output_projection = TokenProjection(
            self.vocabulary_size, tie_output, dtype=self.dtype_policy, name="output"
        )

    def build(self, ids_shape: Any = None) -> None:
        """Makes the weights, which no shape of the ids matters to."""
        embedded = (None, None, self.features)
        self.embedding.build((None, None))
        self.decoder.build(embedded)
        self.output_projection.build(embedded)
        self.built = True

    def call(self, ids: Tensor, training: bool | None = None) -> Tensor:
        """The logits of the next token at every step; see the class for the shapes."""
        self.check_ids("ids", ids)
        outputs = self.decoder(scale_embeddings(self.embedding(ids)), mask=self.compute_mask(ids), training=training)
        return self.output_projection(outputs, table=self.tied_table(self.embedding))

    def compute_mask(self, ids: Tensor, mask: Any = None) -> Tensor:
        """`True` where there is no padding, `(batch, time)`: what the logits carry to loss and metrics."""
        return ops.not_equal(ids, 0)

    def describe(self) -> str:
        """What the model consists of, a line for each part, as text."""
        return describe_transformer(self)
