"""The recurrent language model."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops
from keras.src.utils.naming import uniquify
from keras.src.utils.tracking import DotNotTrackScope

from keras_seq.decoding.decoding import Decoding
from keras_seq.decoding.loop import gather_rows, repeat_rows
from keras_seq.models.argument_checks import check_dropout, check_sizes, check_start_and_end, vocabulary_size_of
from keras_seq.models.carried_state import CarriedState
from keras_seq.models.configured_model import ConfiguredModel
from keras_seq.models.description import describe_language_model
from keras_seq.models.language_model_inference import LanguageModelInference
from keras_seq.models.scheduled_sampling import without_padding
from keras_seq.models.seq2seq_inference import LARGEST_TABLE_BYTES
from keras_seq.models.teacher_forcing import last_tokens, one_step_late
from keras_seq.models.token_projection import TokenProjection
from keras_seq.recurrent.cell import Tensor
from keras_seq.recurrent.stacked_rnn import StackedRNN


@keras.saving.register_keras_serializable(package="keras_seq")
class LanguageModel(CarriedState, ConfiguredModel, LanguageModelInference, keras.Model):
    """A recurrent network that predicts the next word, or the next character.

    Mikolov et al. 2010, "Recurrent neural network based language model"; by character Graves 2013
    (https://arxiv.org/abs/1308.0850). The model of P(y), the product over t of P(y<t> | y<1>, …, y<t-1>). What happens
    to a batch, with the names of the layers:

        ids  → embedding → rnn → (projection) → output → logits of the next token

    For `fit`, `y` is the sequence and `x` the same one step late:

        ids         7  4  9  2  0  0        the end token is 2, padding 0
        ids_in      1  7  4  9  2  0        the start token is 1

    Padding is the id 0, behind the tokens: in training nothing but the loss of `keras_seq.SequenceCrossentropy` needs
    to leave it out, otherwise it changes no state. Long text is better cut into windows, with `stateful=True` and
    `keras_seq.text_windows`.

    Args:
        vocabulary_size: how many ids there are, the padding counted; by default as many as the tokenizer has.
        cell: `"gru"`, `"lstm"`, `"peephole_lstm"` or `"simple_rnn"`.
        features: the size of the embeddings.
        units: of each recurrent layer.
        num_layers: how many recurrent layers.
        dropout: fraction of the embedded tokens, and of the outputs of each layer, to drop in training (Zaremba et al.
            2014, https://arxiv.org/abs/1409.2329).
        tie_output: whether the output layer shares the embeddings (Press & Wolf 2017,
            https://arxiv.org/abs/1608.05859). Where `units` is not `features` a linear projection lies between.
        stateful: whether `fit` and `evaluate` carry the state from batch to batch: truncated back-propagation through
            time. A row that begins with the start token begins from zeros. Everything else starts from zeros.
        start_id: the id before the first token.
        end_id: the id behind the last one.
        tokenizer: of `keras_seq.text`, kept with the model: with it `generate`, `stream` and `log_prob` take texts.
        name: of the model.
        **kwargs: `dtype`, `trainable`.

    Call arguments:
        ids: `(batch, time)`, the start token first.
        training: whether dropout applies.

    Output shape:
        Logits `(batch, time, vocabulary_size)`, float32 under every dtype policy.

    Raises:
        ValueError: for arguments that do not go together; when called, for ids outside the vocabulary or another number
            of axes. What is in a tensor is looked at where it can be: outside `fit`.

    Example:
    >>> import keras, keras_seq, numpy as np
    >>> model = keras_seq.LanguageModel(vocabulary_size=13, cell="gru", features=5, units=7)
    >>> ids = np.array([[8, 9, 5, 2], [10, 6, 2, 0]])
    >>> ids_in = np.array([[1, 8, 9, 5], [1, 10, 6, 2]])
    >>> model.compile("adam", keras_seq.SequenceCrossentropy(), metrics=[keras_seq.Perplexity()])
    >>> history = model.fit(ids_in, ids, epochs=1, verbose=0)
    >>> tuple(model.log_prob(ids).shape)  # log P(y)
    (2,)
    >>> prompts = [[8, 9], [10, 0]]
    >>> tuple(model.generate(prompts, keras_seq.Sampling(max_length=3, num_samples=5)).scores.shape)
    (2, 5)
    """

    arguments: ClassVar[tuple[str, ...]] = (
        "vocabulary_size",
        "cell",
        "features",
        "units",
        "num_layers",
        "dropout",
        "tie_output",
        "stateful",
        "start_id",
        "end_id",
    )
    layer_arguments: ClassVar[tuple[str, ...]] = ("tokenizer",)

    max_length = None
    """The longest sequence: a recurrent network has no limit."""

    def __init__(
        self,
        *,
        vocabulary_size: int | None = None,
        cell: str = "gru",
        features: int = 256,
        units: int = 512,
        num_layers: int = 1,
        dropout: float = 0.0,
        tie_output: bool = False,
        stateful: bool = False,
        start_id: int = 1,
        end_id: int = 2,
        tokenizer: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name or uniquify("language_model"), **kwargs)
        with DotNotTrackScope():  # no part of what is computed: strings would keep XLA off
            self.tokenizer = tokenizer
        self.vocabulary_size = vocabulary_size_of(tokenizer, vocabulary_size, start_id, end_id)
        self.cell = cell
        self.features = features
        self.units = units
        self.num_layers = num_layers
        self.dropout = dropout
        self.tie_output = tie_output
        self.stateful = stateful
        self.start_id = start_id
        self.end_id = end_id
        check_sizes(self, "vocabulary_size", "features", "units", "num_layers")
        check_start_and_end(self, "vocabulary_size")
        check_dropout(self)
        dtype = self.dtype_policy
        self.embedding = keras.layers.Embedding(self.vocabulary_size, features, dtype=dtype, name="embedding")
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=dtype, name="dropout")
        self.rnn = StackedRNN(
            (units, num_layers),
            cell,
            dropout=dropout,
            return_sequences=True,
            return_state=True,
            dtype=dtype,
            name="rnn",
        )
        self.projection = None
        if tie_output and units != features:
            self.projection = keras.layers.Dense(features, use_bias=False, dtype=dtype, name="projection")
        self.output_projection = TokenProjection(self.vocabulary_size, tie_output, dtype=dtype, name="output")

    def build(self, ids_shape: Any = None) -> None:
        """Makes the weights, and for a stateful model the states of `ids_shape[0]` rows."""
        if not self.built:
            self.embedding.build((None, None))
            self.rnn.build((None, None, self.features))
            if self.projection is not None:
                self.projection.build((None, None, self.units))
            self.output_projection.build((None, None, self.features if self.tie_output else self.units))
            self.built = True
        if self.stateful and ids_shape is not None and ids_shape[0] is not None:
            self.make_carried_state(ids_shape[0], self.rnn.state_size)

    def call(self, ids: Tensor, training: bool | None = None) -> Tensor:
        """The logits of the next token at every step; see the class for the shapes."""
        self.check_ids("ids", ids)
        embedded = self.dropout_layer(self.embedding(ids), training=training)
        # What is behind the tokens changes nothing before it, and in training the final states matter to nobody.
        mask = None if training else self.compute_mask(ids)
        outputs, *states = self.rnn(embedded, initial_state=self.state_before(ids), mask=mask, training=training)
        self.carry(states)
        outputs = self._projected(self.dropout_layer(outputs, training=training))
        return self.output_projection(outputs, table=self._tied_table())

    def compute_mask(self, ids: Tensor, mask: Any = None) -> Tensor:
        """`True` where there is no padding, `(batch, time)`: what the logits carry to loss and metrics."""
        return ops.not_equal(ids, 0)

    def start_decoding(self, prompt: Tensor, num_beams: int = 1) -> Decoding:
        """Reads prompts, and gives the step that goes on; for `keras_seq.generate`.

        Where it fits 64 MB, the product of the embeddings and the first layer's input kernel is computed once, of which
        a step then takes the rows.

        Args:
            prompt: ids `(batch, time)`, padding behind them; `time` may be 0.
            num_beams: how many hypotheses of each prompt are followed: the rows are `batch * num_beams`, those of one
                prompt neighbours.

        Returns:
            A decoding. Its logits have -1e9 added at id 0: padding is never generated.
        """
        prompt = self.checked_prompt(prompt)
        batch = ops.shape(prompt)[0]
        first, states = None, [ops.zeros((batch, size), self.compute_dtype) for size in self.rnn.state_size]
        if prompt.shape[1] != 0:
            lengths = ops.sum(ops.cast(ops.not_equal(prompt, 0), "int32"), axis=1)  # (batch,)
            first = last_tokens(prompt, lengths, self.start_id)
            states = self._read(one_step_late(prompt, self.start_id), lengths)
        kernel, bias = self.output_projection.read(self._tied_table())
        projection = kernel, without_padding(bias)
        weights = self.rnn.step_weights()
        table = ops.cast(ops.convert_to_tensor(self.embedding.embeddings), self.compute_dtype)
        folded = self.vocabulary_size * self.rnn.cells[0].kernel.shape[-1] * 4 <= LARGEST_TABLE_BYTES
        if folded:
            table = self.rnn.project_inputs(table)

        def step(tokens: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
            rows = gather_rows(table, tokens)
            output, states = self.rnn.step(rows if folded else self.rnn.project_inputs(rows), states, weights)
            return self.output_projection.project(self._projected(output), projection), states

        states = [repeat_rows(state, num_beams) for state in states]
        return Decoding(step, states, batch, first_tokens=first)

    def _read(self, ids: Tensor, lengths: Tensor) -> list[Tensor]:
        """The states behind the first `lengths` tokens of each row."""
        steps = ops.arange(ops.shape(ids)[1], dtype="int32")
        _, *states = self.rnn(self.embedding(ids), mask=steps[None, :] < lengths[:, None], training=False)
        return states

    def _projected(self, outputs: Tensor) -> Tensor:
        return outputs if self.projection is None else self.projection(outputs)

    def _tied_table(self) -> Tensor | None:
        return ops.convert_to_tensor(self.embedding.embeddings) if self.tie_output else None

    def describe(self) -> str:
        """What the model consists of, a line for each part, as text."""
        return describe_language_model(self)
