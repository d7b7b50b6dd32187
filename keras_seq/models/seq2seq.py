"""The encoder-decoder model."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops
from keras.src import backend
from keras.src.utils.naming import uniquify

from keras_seq.attention.attention_decoder import AttentionDecoder, Feedback
from keras_seq.models.description import describe
from keras_seq.models.encoder_outputs import EncoderOutputs, split_outputs
from keras_seq.models.input_checks import check_same_batch
from keras_seq.models.scheduled_sampling import scheduled_sampling
from keras_seq.models.seq2seq_arguments import check_arguments
from keras_seq.models.seq2seq_inference import Seq2SeqInference
from keras_seq.models.state_bridge import StateBridge
from keras_seq.models.token_projection import TokenProjection
from keras_seq.recurrent.cell import Identifier, Tensor


@keras.saving.register_keras_serializable(package="keras_seq")
class Seq2Seq(Seq2SeqInference, keras.Model):
    """From one sequence to another: an encoder reads the source, a decoder writes the target, token by token.

    The model of P(y|x), the product over t of P(y<t> | x, y<1>, …, y<t-1>). It covers the course's shapes that have two
    parts:

    - many-to-many with attention (Bahdanau, Cho & Bengio 2015, https://arxiv.org/abs/1409.0473; Luong, Pham & Manning
      2015, https://arxiv.org/abs/1508.04025): an encoder that returns its outputs and its states, and a decoder with an
      attention;
    - many-to-many without (Sutskever, Vinyals & Le 2014, https://arxiv.org/abs/1409.3215; Cho et al. 2014,
      https://arxiv.org/abs/1406.1078): an encoder that returns its states, or a vector;
    - one-to-many: no encoder, the source is a vector, from which the decoder's first state is made.

    What happens to a batch, with the names of the layers:

        source  → source_embedding → encoder → bridge → first states of the decoder
        target  → target_embedding → decoder, which attends to the encoder's outputs → output → logits

    For `fit`, `y` is the target and `x` the pair of the source and the target one step late (teacher forcing):

        target      7  4  9  2  0  0        the end token is 2, padding 0
        target_in   1  7  4  9  2  0        the start token is 1

    Padding is the id 0 everywhere, behind the tokens; of sources that are features, a step of zeros alone. It is masked
    in the encoder, the attention and the decoder. Train with `keras_seq.SequenceCrossentropy`, which leaves it out of
    the loss; the loss of Keras do too, by the mask that the logits carry.

    Args:
        encoder: a recurrent layer of this library or of Keras, `Bidirectional` and `StackedRNN` included, or any layer
            with outputs like theirs, such as a functional model. With an attention it must be made with
            `return_sequences=True, return_state=True`, otherwise with `return_state=True`, or give one vector. `None`
            where the source is a vector.
        decoder: a `keras_seq.AttentionDecoder`.
        target_vocabulary_size: how many ids there are for the target, the padding counted.
        embedding_dim: the size of the vectors that tokens are embedded in, those of the source and of the target.
        source_vocabulary_size: how many ids there are for the source; `None` where it consists of features.
        tie_output: whether the output layer shares the target embeddings (Press & Wolf 2017,
            https://arxiv.org/abs/1608.05859). The outputs of the decoder must then have `embedding_dim` features.
        dropout: fraction of the elements of the embedded tokens and of the decoder's outputs to drop in training.
            Dropout inside the recurrent layers is their own argument.
        start_id: the id before the first token.
        end_id: the id behind the last one.
        max_source_length: the longest source, in steps, that the model takes; `None` for no limit.
        sampling_probability: how often, in training, the decoder reads a token of its own in the place of the
            reference's (scheduled sampling, Bengio et al. 2015, https://arxiv.org/abs/1506.03099). A model made with 0
            has no such machinery; for any other the attribute of this name can be set while it trains, to 0 too.
        bridge_activation: activation of projected states, see `keras_seq.StateBridge`.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: the pair `(source, target_in)`. The source: ids `(batch, time)`, or features `(batch, time, features)`
            or `(batch, features)`; the target: ids `(batch, target time)`.
        training: whether dropout and scheduled sampling apply.

    Output shape:
        Logits `(batch, target time, target_vocabulary_size)`, float32 under every dtype policy.

    Attributes:
        vocabulary_size: `target_vocabulary_size`.
        sampling_probability: a number; may be set in training, as by a callback:
            `keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(model, "sampling_probability",
            min(0.25, 0.05 * epoch)))`.

    Raises:
        TypeError: for an encoder or a decoder of another kind.
        ValueError: for arguments that do not go together; when called, for ids outside the vocabulary, a source that is
            too long, or another number of axes. What is in a tensor is looked at where it can be: outside `fit`.

    Example:
    >>> import keras, keras_seq, numpy as np
    >>> model = keras_seq.Seq2Seq(
    ...     keras_seq.Bidirectional(keras_seq.GRU(16, return_sequences=True, return_state=True)),
    ...     keras_seq.AttentionDecoder(keras_seq.GRUCell(16), keras_seq.BahdanauAttention(16)),
    ...     source_vocabulary_size=11, target_vocabulary_size=13, embedding_dim=8,
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

    def __init__(
        self,
        encoder: keras.layers.Layer | None,
        decoder: AttentionDecoder,
        *,
        target_vocabulary_size: int,
        embedding_dim: int,
        source_vocabulary_size: int | None = None,
        tie_output: bool = False,
        dropout: float = 0.0,
        start_id: int = 1,
        end_id: int = 2,
        max_source_length: int | None = None,
        sampling_probability: float = 0.0,
        bridge_activation: Identifier = "tanh",
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name or uniquify("seq2seq"), **kwargs)
        self.target_vocabulary_size = self.vocabulary_size = target_vocabulary_size
        self.source_vocabulary_size = source_vocabulary_size
        self.embedding_dim = embedding_dim
        self.tie_output = tie_output
        self.dropout = dropout
        self.start_id = start_id
        self.end_id = end_id
        self.max_source_length = max_source_length
        self.initial_sampling_probability = sampling_probability
        self.bridge_activation = keras.activations.get(bridge_activation)
        self._source_shape: tuple[int | None, ...] | None = None
        check_arguments(self, encoder, decoder)
        self._make_layers(encoder, decoder)

    def _make_layers(self, encoder: keras.layers.Layer | None, decoder: AttentionDecoder) -> None:
        # In the order in which they work, which is that of `summary`.
        dtype = self.dtype_policy
        self.source_embedding = self.source_masking = None
        if self.source_vocabulary_size is not None:
            self.source_embedding = keras.layers.Embedding(
                self.source_vocabulary_size, self.embedding_dim, mask_zero=True, dtype=dtype, name="source_embedding"
            )
        elif encoder is not None:
            self.source_masking = keras.layers.Masking(0.0, dtype=dtype, name="source_masking")
        if getattr(encoder, "_inputs_struct", None) is not None:
            encoder.supports_masking = True  # a functional model's layers do, of which Keras does not know
        self.encoder = encoder
        self.bridge = None  # made by `build`, which knows what the encoder gives
        self.target_embedding = keras.layers.Embedding(
            self.vocabulary_size, self.embedding_dim, mask_zero=True, dtype=dtype, name="target_embedding"
        )
        self.decoder = decoder
        self.dropout_layer = keras.layers.Dropout(self.dropout, dtype=dtype, name="dropout") if self.dropout else None
        self.output_projection = TokenProjection(self.vocabulary_size, self.tie_output, dtype=dtype, name="output")
        self._sampling = self._sampling_seed = None
        if self.initial_sampling_probability:
            self._sampling_seed = keras.random.SeedGenerator()
            self._sampling = self.add_weight(
                shape=(),
                name="sampling_probability",
                initializer=keras.initializers.Constant(self.initial_sampling_probability),
                trainable=False,
                autocast=False,
            )

    @property
    def attends(self) -> bool:
        """Whether the decoder has an attention."""
        return self.decoder.attention is not None

    @property
    def sampling_probability(self) -> float:
        """How often, in training, the decoder reads a token of its own."""
        return 0.0 if self._sampling is None else float(ops.convert_to_numpy(self._sampling))

    @sampling_probability.setter
    def sampling_probability(self, probability: float) -> None:
        if not 0.0 <= probability <= 1.0:
            raise ValueError(
                f"`sampling_probability` must be from 0 to 1. Received: sampling_probability={probability}"
            )
        if self._sampling is None:
            raise ValueError(
                "`sampling_probability` can be changed only in a model made with one that is not 0. Make it with the "
                f"largest you mean to use. Received: sampling_probability={probability}"
            )
        self._sampling.assign(probability)

    def build(self, inputs_shape: Any) -> None:
        """Makes the weights for the shapes of source and target, of which only the source's features matter."""
        if len(inputs_shape) != 2 or not all(isinstance(shape, (list, tuple)) for shape in inputs_shape):
            raise ValueError(
                f'Model "{self.name}" takes a pair, (source, target_in). Received an input of shape {inputs_shape}'
            )
        axes, features = len(inputs_shape[0]), inputs_shape[0][-1]
        if self.source_embedding is not None:
            axes, features = 3, self.embedding_dim
            self.source_embedding.build((None, None))
        if axes not in (2, 3) or features is None:
            raise ValueError(
                "The source must have the shape (batch, time, features) or (batch, features), the number of features "
                f"known. Received: source shape {inputs_shape[0]}"
            )
        self._source_shape = source_shape = (None,) * (axes - 1) + (features,)
        outputs = EncoderOutputs(None, [source_shape], has_states=False)
        if self.encoder is not None:
            if not self.encoder.built:
                self.encoder.build(source_shape)
            outputs = self._split(self.encoder.compute_output_shape(source_shape), of_shapes=True)
        self.bridge = StateBridge(
            list(self.decoder.state_sizes.values()),
            self.bridge_activation,
            project="auto" if outputs.has_states else "always",
            dtype=self.dtype_policy,
            name="bridge",
        )
        self.bridge.build(outputs.states)
        self.target_embedding.build((None, None))
        if not self.decoder.built:
            self.decoder.build((None, None, self.embedding_dim), outputs.values)
        self.output_projection.build((None, None, self.decoder.output_size))
        self.built = True

    def call(self, inputs: tuple[Tensor, Tensor], training: bool | None = None) -> Tensor:
        """The logits of the next token at every step of the target; see the class for the shapes."""
        source, target = inputs
        self.check_source(source)
        self.check_target(target)
        check_same_batch(source=source, target=target)
        values, mask, states = self._read_source(source, training)
        embedded = self._drop(self.target_embedding(target), training)
        outputs = self.decoder(
            embedded,
            memory_values=values,
            initial_state=states,
            mask=self.compute_mask(inputs),
            memory_mask=mask,
            feedback=self._feedback(target) if training and self._sampling is not None else None,
            training=training,
        )
        return self.output_projection(self._drop(outputs, training), table=self._tied_table())

    def compute_mask(self, inputs: tuple[Tensor, Tensor], mask: Any = None) -> Tensor:
        """`True` where the target is no padding, `(batch, target time)`: what the logits carry to loss and metrics."""
        return ops.not_equal(inputs[1], 0)

    def _feedback(self, target: Tensor) -> Feedback:
        table = ops.cast(ops.convert_to_tensor(self.target_embedding.embeddings), self.compute_dtype)
        shape = tuple(ops.shape(target))
        probability = ops.convert_to_tensor(self._sampling)
        return scheduled_sampling(self.decoder, self.output_projection, table, probability, shape, self._sampling_seed)

    def _read_source(self, source: Tensor, training: bool | None) -> tuple[Tensor | None, Tensor | None, list[Tensor]]:
        """The encoder's outputs where they are attended to, their mask, and the first states of the decoder."""
        if self.encoder is None:
            return None, None, self.bridge(source)
        if self.source_embedding is not None:
            source = self._drop(self.source_embedding(source), training)
        elif len(source.shape) == 3:
            source = self.source_masking(source)
        context = {"training": training} if self.encoder._call_has_training_arg else {}
        outputs = self._split(self.encoder(source, **context))
        mask = None if outputs.values is None else backend.get_keras_mask(outputs.values)
        return outputs.values, mask, self.bridge(outputs.states)

    def _split(self, outputs: Any, of_shapes: bool = False) -> EncoderOutputs:
        return split_outputs(outputs, self.encoder, self.attends, of_shapes)

    def _drop(self, tensor: Tensor, training: bool | None) -> Tensor:
        return tensor if self.dropout_layer is None else self.dropout_layer(tensor, training=training)

    def _tied_table(self) -> Tensor | None:
        return ops.convert_to_tensor(self.target_embedding.embeddings) if self.tie_output else None

    def describe(self) -> str:
        """What the model consists of, a line for each part, as text."""
        return describe(self)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "encoder": None if self.encoder is None else serialize(self.encoder),
            "decoder": serialize(self.decoder),
            "target_vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "source_vocabulary_size": self.source_vocabulary_size,
            "tie_output": self.tie_output,
            "dropout": self.dropout,
            "start_id": self.start_id,
            "end_id": self.end_id,
            "max_source_length": self.max_source_length,
            "sampling_probability": self.initial_sampling_probability,
            "bridge_activation": keras.activations.serialize(self.bridge_activation),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Seq2Seq:
        """Makes the model from what `get_config` gave."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in ("encoder", "decoder")
        }
        return cls(**{**config, **parts})

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that `build_from_config` needs; `None` before the model is built."""
        return {"inputs_shape": [self._source_shape, (None, None)]} if self.built else None

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        """Makes the weights as `build` did."""
        if config:
            self.build([tuple(shape) for shape in config["inputs_shape"]])
