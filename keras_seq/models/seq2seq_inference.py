"""What a trained `Seq2Seq` is asked: to read, to generate, to score."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_seq.attention.memory import Memory
from keras_seq.decoding.beam_search import BeamSearch
from keras_seq.decoding.decoding import Decoding
from keras_seq.decoding.generate import generate
from keras_seq.decoding.hypotheses import Hypotheses
from keras_seq.decoding.loop import gather_rows
from keras_seq.decoding.strategy import Strategy
from keras_seq.models import input_checks
from keras_seq.models.scheduled_sampling import without_padding
from keras_seq.recurrent.cell import Tensor

LONGEST_FOLDED_SOURCE = 300
"""In steps: of longer sources it is more work to attend to the projected values than to project the context."""
LARGEST_TABLE_BYTES = 64 * 2**20
"""Of the embeddings multiplied by the decoder's input kernel: beyond, each step multiplies its own rows."""


class Seq2SeqInference:
    """Mixin of `Seq2Seq`: the methods that need no training, and what an exporter asks."""

    def encode(self, source: Tensor, training: bool = False) -> tuple[Memory | None, list[Tensor]]:
        """Reads sources.

        Args:
            source: ids `(batch, time)`, or features.
            training: whether dropout applies.

        Returns:
            What the decoder attends to, `None` where it does not, and the states that it starts from.
        """
        source = self._checked_source(source)
        values, mask, states = self._read_source(source, training)
        return self.decoder.prepare(values, mask), states

    def start_decoding(self, source: Tensor, num_beams: int = 1) -> Decoding:
        """Reads sources, and gives the step that generates; for `keras_seq.generate`.

        What does not change from step to step is computed here: what is attended to, once for all hypotheses of a
        source and already multiplied by the kernel that the context goes into; and, where it fits 64 MB, the product of
        the embeddings and the decoder's input kernel, of which a step then takes the rows.

        Args:
            source: ids `(batch, time)`, or features.
            num_beams: how many hypotheses of each source are followed: the rows of the state are
                `batch * num_beams`, those of one source neighbours.

        Returns:
            A decoding. Its logits have -1e9 added at id 0: padding is never generated.
        """
        memory, states = self.encode(source)
        batch = ops.shape(states[0])[0]
        if num_beams > 1:
            states = [_repeat_rows(state, num_beams) for state in states]
        decoder, weights = self.decoder, self.decoder.step_weights()
        if self.max_source_length is None or self.max_source_length <= LONGEST_FOLDED_SOURCE:
            memory, weights = decoder.fold_context(memory, weights)
        kernel, bias = self.output_projection.read(self._tied_table())
        projection = kernel, without_padding(bias)
        table = ops.cast(ops.convert_to_tensor(self.target_embedding.embeddings), self.compute_dtype)
        folded = self.vocabulary_size * decoder.cells[0].kernel.shape[-1] * 4 <= LARGEST_TABLE_BYTES
        if folded:
            table = decoder.project_inputs(table)

        def step(tokens: Tensor, state: Any) -> tuple[Tensor, ...]:
            rows = gather_rows(table, tokens)
            projected = rows if folded else decoder.project_inputs(rows)
            output, state, scores = decoder.step(projected, state, memory, weights, queries_per_source=num_beams)
            logits = self.output_projection.project(output, projection)
            return (logits, state, scores) if self.attends else (logits, state)

        return Decoding(step, decoder.initial_state(states, batch * num_beams), batch, self.attends)

    def generate(self, source: Tensor, strategy: Strategy | None = None, **settings: Any) -> Hypotheses:
        """Generates targets.

        Args:
            source: ids `(batch, time)`, or features.
            strategy: how to choose the tokens: a `keras_seq.BeamSearch`, which is the default, `Greedy` or `Sampling`.
            **settings: settings of the strategy to replace, such as `num_beams=8`.

        Returns:
            The hypotheses, the best of each source first.
        """
        strategy = (strategy or BeamSearch()).replace(**settings)
        decoding = self.start_decoding(source, strategy.rows_per_source)
        return generate(decoding, strategy, start_id=self.start_id, end_id=self.end_id)

    def score(self, source: Tensor, target: Tensor, per_token: bool = False) -> Tensor:
        """The log-probability of targets, log P(y|x), by teacher forcing.

        It is the distribution that `generate` searches, in which padding has no probability.

        Args:
            source: ids `(batch, time)`, or features.
            target: ids `(batch, target time)`, the end token included, padding behind it. Without an end token the
                result is the probability that a target begins so.
            per_token: whether to return the logarithms of each token, 0 at the padding, instead of their sum.

        Returns:
            `(batch,)` float32, or `(batch, target time)`.
        """
        self.check_target(target)
        input_checks.check_padding_last("target", target)
        source, target = self._checked_source(source), ops.convert_to_tensor(target, dtype="int32")
        input_checks.check_same_batch(source=source, target=target)
        start = ops.full((ops.shape(target)[0], 1), self.start_id, dtype="int32")
        logits = self((source, ops.concatenate([start, target[:, :-1]], axis=1)), training=False)
        losses = ops.sparse_categorical_crossentropy(target, without_padding(logits), from_logits=True)
        log_probs = ops.where(ops.not_equal(target, 0), -losses, 0.0)
        return log_probs if per_token else ops.sum(log_probs, axis=1)

    def check_source(self, source: Tensor) -> None:
        """Checks sources as far as they are known.

        Raises:
            ValueError: for ids outside the vocabulary, a source that is too long, or another number of axes.
        """
        if self.source_vocabulary_size is not None:
            input_checks.check_rank("source", source, "batch, time")
            input_checks.check_ids("source", source, self.source_vocabulary_size)
        elif self.built:
            input_checks.check_rank("source", source, self._source_axes)
        input_checks.check_length("source", source, self.max_source_length)

    def check_target(self, target: Tensor) -> None:
        """Checks targets as far as they are known.

        Raises:
            ValueError: for ids outside the vocabulary, or another number of axes.
        """
        input_checks.check_rank("target", target, "batch, target time")
        input_checks.check_ids("target", target, self.vocabulary_size)

    def _checked_source(self, source: Tensor) -> Tensor:
        """Sources as a tensor, when they have been checked; makes the weights if there are none yet."""
        if not hasattr(source, "shape"):
            source = ops.convert_to_tensor(source)
        if not self.built:
            self.build([tuple(source.shape), (None, None)])
        self.check_source(source)
        return ops.convert_to_tensor(source, dtype=self._source_dtype)

    @property
    def _source_dtype(self) -> str:
        return "float32" if self.source_vocabulary_size is None else "int32"

    @property
    def _source_axes(self) -> str:
        return "batch, features" if len(self._source_shape) == 2 else "batch, time, features"

    @property
    def input_specs(self) -> tuple[keras.InputSpec, keras.InputSpec]:
        """What `call` takes, the source and the target, with names, shapes and dtypes."""
        return self.decoding_specs, keras.InputSpec(shape=(None, None), dtype="int32", name="target")

    @property
    def decoding_specs(self) -> keras.InputSpec:
        """What `start_decoding` takes: the source.

        Raises:
            ValueError: if that is features, and how many is not known yet.
        """
        if self.source_vocabulary_size is not None:
            return keras.InputSpec(shape=(None, None), dtype="int32", name="source")
        if not self.built:
            raise ValueError(
                f'How many features the source of model "{self.name}" has is known once it is built: call it on real '
                "input, or build it with the shapes of source and target."
            )
        return keras.InputSpec(shape=self._source_shape, dtype="float32", name="source")

    @property
    def vocabulary_sizes(self) -> dict[str, int]:
        """How many ids there are for each input that consists of ids, by name."""
        sizes = {"source": self.source_vocabulary_size, "target": self.vocabulary_size}
        return {name: size for name, size in sizes.items() if size is not None}

    @property
    def axis_names(self) -> dict[str, dict[int, str]]:
        """The names of the dynamic axes that are not called `batch` and `time`, by input."""
        return {"target": {1: "target"}}

    @property
    def size_limits(self) -> dict[str, int]:
        """The largest sizes of dynamic axes, by the axis' name."""
        return {} if self.max_source_length is None else {"time": self.max_source_length}


def _repeat_rows(tensor: Tensor, times: int) -> Tensor:
    """Each row of `(batch, size)` so many times, the copies neighbours."""
    copies = ops.tile(ops.expand_dims(tensor, axis=1), (1, times, 1))
    return ops.reshape(copies, (-1, tensor.shape[-1]))
