"""What a trained `Seq2Seq` is asked: to read, to generate, to score."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_seq.attention.memory import Memory
from keras_seq.decoding.decoding import Decoding
from keras_seq.decoding.loop import gather_rows, repeat_rows
from keras_seq.models import input_checks
from keras_seq.models.encoder_decoder_model import EncoderDecoderModel
from keras_seq.models.scheduled_sampling import without_padding
from keras_seq.recurrent.cell import Tensor

LONGEST_FOLDED_SOURCE = 300
"""In steps: of longer sources it is more work to attend to the projected values than to project the context."""
LARGEST_TABLE_BYTES = 64 * 2**20
"""Of the embeddings multiplied by the decoder's input kernel: beyond, each step multiplies its own rows."""


class Seq2SeqInference(EncoderDecoderModel):
    """Mixin of `Seq2Seq`: how it reads and decodes, and what it knows of its source."""

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
        states = [repeat_rows(state, num_beams) for state in states]
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

    def check_source(self, source: Tensor) -> None:
        """Checks sources as far as they are known.

        Raises:
            ValueError: for ids outside the vocabulary, a source that is too long, or another number of axes.
        """
        if self.source_vocabulary_size is not None:
            super().check_source(source)
            return
        if self.built:
            axes = "batch, features" if len(self._source_shape) == 2 else "batch, time, features"
            input_checks.check_rank("source", source, axes)
        input_checks.check_length("source", source, self.max_source_length)

    @property
    def decoding_specs(self) -> keras.InputSpec:
        """What `start_decoding` takes: the source.

        Raises:
            ValueError: if that is features, and how many is not known yet.
        """
        if self.source_vocabulary_size is not None:
            return super().decoding_specs
        if not self.built:
            raise ValueError(
                f'How many features the source of model "{self.name}" has is known once it is built: call it on real '
                "input, or build it with the shapes of source and target."
            )
        return keras.InputSpec(shape=self._source_shape, dtype="float32", name="source")
