"""The encoder-decoder transformer."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops
from keras.src.utils.naming import uniquify

from keras_seq.models.argument_checks import check_learned_positions
from keras_seq.models.description import describe_transformer
from keras_seq.models.input_checks import check_same_batch
from keras_seq.models.token_projection import TokenProjection
from keras_seq.models.transformer_inference import TransformerInference
from keras_seq.models.transformer_model import TransformerModel
from keras_seq.recurrent.cell import Identifier, Tensor
from keras_seq.transformer.stack import scale_embeddings
from keras_seq.transformer.transformer_decoder import TransformerDecoder
from keras_seq.transformer.transformer_encoder import TransformerEncoder


@keras.saving.register_keras_serializable(package="keras_seq")
class Transformer(TransformerModel, TransformerInference, keras.Model):
    """From one sequence of ids to another by attention alone (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).

    The model of P(y|x), the product over t of P(y<t> | x, y<1>, …, y<t-1>), like `keras_seq.Seq2Seq`, and used like it:
    the same `fit`, `generate`, `log_prob` and export. What happens to a batch, with the names of the layers:

        source  → source_embedding × √features → encoder
        target  → target_embedding × √features → decoder, which attends to the encoder's outputs → output → logits

    For `fit`, `y` is the target and `x` the pair of the source and the target one step late (teacher forcing):

        target      7  4  9  2  0  0        the end token is 2, padding 0
        target_in   1  7  4  9  2  0        the start token is 1

    Padding is the id 0 everywhere, behind the tokens: nothing attends to it. Train with
    `keras_seq.SequenceCrossentropy`, which leaves it out of the loss.

    The defaults are the paper's base model. To generate it keeps the keys and values of the tokens so far; the
    hypotheses of a beam search share them (`docs/decoding.md`).

    Args:
        source_vocabulary_size: how many ids there are for the source, the padding counted.
        target_vocabulary_size: how many for the target.
        features: the size of the vectors between the blocks.
        num_heads: how many attention heads share them.
        feed_forward_units: size of the hidden layers of the feed-forward networks.
        num_encoder_layers: how many blocks the encoder has.
        num_decoder_layers: how many the decoder.
        dropout: fraction of the embedded tokens and of each sublayer's outputs to drop in training.
        position: `"sinusoidal"`, `"learned"` or `"rotary"`; `None` for none, where order does not matter.
        norm: `"layer"` or `"rms"`.
        norm_first: whether to normalise before each sublayer rather than behind it: trains without warm-up.
        activation: of the feed-forward networks: `"relu"`, `"gelu"`, `"swiglu"` or any other of Keras'.
        num_key_value_heads: see `keras_seq.MultiHeadAttention`; of all attentions.
        share_embeddings: whether source and target, of one vocabulary, share their embeddings.
        tie_output: whether the output layer shares the target embeddings (Press & Wolf 2017,
            https://arxiv.org/abs/1608.05859).
        max_source_length: the longest source, in tokens; `None` for no limit.
        max_target_length: the longest target; `None` for no limit. Learned positions need both.
        start_id: the id before the first token.
        end_id: the id behind the last one.
        gradient_checkpointing: see `keras_seq.TransformerEncoder`.
        name: of the model.
        **kwargs: `dtype`, `trainable`.

    Call arguments:
        inputs: the pair `(source, target_in)`, ids `(batch, time)` and `(batch, target time)`.
        training: whether dropout applies.

    Output shape:
        Logits `(batch, target time, target_vocabulary_size)`, float32 under every dtype policy.

    Attributes:
        vocabulary_size: `target_vocabulary_size`.

    Raises:
        ValueError: for arguments that do not go together; when called, for ids outside the vocabulary, sequences that
            are too long, or another number of axes. What is in a tensor is looked at where it can be: outside `fit`.

    Example:
    >>> import keras, keras_seq, numpy as np
    >>> model = keras_seq.Transformer(
    ...     source_vocabulary_size=11, target_vocabulary_size=13, features=8, num_heads=2, feed_forward_units=16,
    ...     num_encoder_layers=1, num_decoder_layers=1,
    ... )
    >>> source, target = np.array([[3, 4, 5], [6, 7, 0]]), np.array([[8, 9, 2], [10, 2, 0]])
    >>> target_in = np.array([[1, 8, 9], [1, 10, 2]])
    >>> model.compile("adam", keras_seq.SequenceCrossentropy(label_smoothing=0.1))
    >>> history = model.fit((source, target_in), target, epochs=1, verbose=0)
    >>> tuple(model.log_prob(source, target).shape)  # log P(y|x)
    (2,)
    >>> tuple(model.generate(source, num_beams=3, max_length=5).scores.shape)
    (2, 3)
    """

    arguments: ClassVar[tuple[str, ...]] = (
        "source_vocabulary_size",
        "target_vocabulary_size",
        "features",
        "num_heads",
        "feed_forward_units",
        "num_encoder_layers",
        "num_decoder_layers",
        "dropout",
        "position",
        "norm",
        "norm_first",
        "num_key_value_heads",
        "share_embeddings",
        "tie_output",
        "max_source_length",
        "max_target_length",
        "start_id",
        "end_id",
        "gradient_checkpointing",
    )

    def __init__(
        self,
        *,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        features: int = 512,
        num_heads: int = 8,
        feed_forward_units: int = 2048,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dropout: float = 0.1,
        position: str | None = "sinusoidal",
        norm: str = "layer",
        norm_first: bool = False,
        activation: Identifier = "relu",
        num_key_value_heads: int | None = None,
        share_embeddings: bool = False,
        tie_output: bool = True,
        max_source_length: int | None = None,
        max_target_length: int | None = None,
        start_id: int = 1,
        end_id: int = 2,
        gradient_checkpointing: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name or uniquify("transformer"), **kwargs)
        self.source_vocabulary_size = source_vocabulary_size
        self.target_vocabulary_size = self.vocabulary_size = target_vocabulary_size
        self.features = features
        self.num_heads = num_heads
        self.feed_forward_units = feed_forward_units
        self.num_encoder_layers = num_encoder_layers
        self.num_decoder_layers = num_decoder_layers
        self.dropout = dropout
        self.position = position
        self.norm = norm
        self.norm_first = norm_first
        self.activation = activation
        self.num_key_value_heads = num_key_value_heads
        self.share_embeddings = share_embeddings
        self.tie_output = tie_output
        self.max_source_length = max_source_length
        self.max_target_length = max_target_length
        self.start_id = start_id
        self.end_id = end_id
        self.gradient_checkpointing = gradient_checkpointing
        self._check_arguments()
        self._make_layers()

    def _check_arguments(self) -> None:
        limits = ("max_source_length", "max_target_length")
        sizes = ("source_vocabulary_size", "num_encoder_layers", "num_decoder_layers")
        self.check_arguments(*sizes, vocabulary="target_vocabulary_size", optional=limits)
        check_learned_positions(self, *limits)
        if self.share_embeddings and self.source_vocabulary_size != self.target_vocabulary_size:
            raise ValueError(
                "`share_embeddings=True` needs one vocabulary for source and target. Received: source_vocabulary_size="
                f"{self.source_vocabulary_size}, target_vocabulary_size={self.target_vocabulary_size}"
            )

    def _make_layers(self) -> None:
        # In the order in which they work, which is that of `summary`.
        of_source, of_target = map(self.stack_arguments, (self.max_source_length, self.max_target_length))
        self.source_embedding = self.token_embedding(self.source_vocabulary_size, "source_embedding")
        self.encoder = TransformerEncoder(self.num_encoder_layers, name="encoder", **of_source)
        self.target_embedding = self.source_embedding
        if not self.share_embeddings:
            self.target_embedding = self.token_embedding(self.vocabulary_size, "target_embedding")
        self.decoder = TransformerDecoder(self.num_decoder_layers, name="decoder", **of_target)
        self.output_projection = TokenProjection(
            self.vocabulary_size, self.tie_output, dtype=self.dtype_policy, name="output"
        )

    def build(self, inputs_shape: Any = None) -> None:
        """Makes the weights, which no shape of the inputs matters to."""
        if inputs_shape is not None and not (len(inputs_shape) == 2 and isinstance(inputs_shape[0], (list, tuple))):
            raise ValueError(
                f'Model "{self.name}" takes a pair, (source, target_in). Received an input of shape {inputs_shape}'
            )
        embedded = (None, None, self.features)
        for embedding in (self.source_embedding, self.target_embedding):
            if not embedding.built:
                embedding.build((None, None))
        self.encoder.build(embedded)
        self.decoder.build(embedded, embedded)
        self.output_projection.build(embedded)
        self.built = True

    def call(self, inputs: tuple[Tensor, Tensor], training: bool | None = None) -> Tensor:
        """The logits of the next token at every step of the target; see the class for the shapes."""
        source, target = self._checked_pair(inputs)
        memory, memory_mask = self._read_source(source, training)
        outputs = self.decoder(
            scale_embeddings(self.target_embedding(target)),
            memory,
            mask=self.compute_mask(inputs),
            memory_mask=memory_mask,
            training=training,
        )
        return self.output_projection(outputs, table=self.tied_table(self.target_embedding))

    def compute_mask(self, inputs: tuple[Tensor, Tensor], mask: Any = None) -> Tensor:
        """`True` where the target is no padding, `(batch, target time)`: what the logits carry to loss and metrics."""
        return ops.not_equal(inputs[1], 0)

    def _checked_pair(self, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        source, target = inputs
        self.check_source(source)
        self.check_target(target)
        check_same_batch(source=source, target=target)
        return source, target

    def _read_source(self, source: Tensor, training: bool | None) -> tuple[Tensor, Tensor]:
        """The encoder's outputs, and where they are no padding."""
        mask = ops.not_equal(source, 0)
        return self.encoder(scale_embeddings(self.source_embedding(source)), mask=mask, training=training), mask

    def describe(self) -> str:
        """What the model consists of, a line for each part, as text."""
        return describe_transformer(self)
