"""What a trained `Transformer` is asked: to read, to generate, to show what it attends to."""

from __future__ import annotations

from keras import ops

from keras_seq.decoding.decoding import Decoding
from keras_seq.models.cached_decoding import CachedDecoder, scaled_table
from keras_seq.models.encoder_decoder_model import EncoderDecoderModel
from keras_seq.models.scheduled_sampling import without_padding
from keras_seq.recurrent.cell import Tensor
from keras_seq.transformer.stack import scale_embeddings
from keras_seq.transformer.transformer_decoder import DecoderMemory


class TransformerInference(EncoderDecoderModel):
    """Mixin of `Transformer`: how it reads and decodes."""

    def encode(self, source: Tensor, training: bool = False) -> DecoderMemory:
        """Reads sources: the keys and values that each block of the decoder attends to.

        Args:
            source: ids `(batch, time)`.
            training: whether dropout applies.
        """
        values, mask = self._read_source(self._checked_source(source), training)
        return self.decoder.prepare(values, mask)

    def start_decoding(self, source: Tensor, num_beams: int = 1, max_length: int | Tensor | None = None) -> Decoding:
        """Reads sources, and gives the step that generates; for `keras_seq.generate`.

        What does not change from step to step is computed here: what is attended to, once for all hypotheses of a
        source, and the vectors of the positions.

        Args:
            source: ids `(batch, time)`.
            num_beams: how many hypotheses of each source are followed: the rows are `batch * num_beams`, those of one
                source neighbours.
            max_length: how many steps there will be at most, so that their positions are computed beforehand; without
                it each step computes its own.

        Returns:
            A decoding. Its logits have -1e9 added at id 0: padding is never generated.
        """
        source = self._checked_source(source)
        memory = self.encode(source)
        if memory.bias is not None and num_beams > 1:  # as wide as the queries: fused attention knows no other
            memory = memory._replace(bias=ops.tile(memory.bias, (1, 1, num_beams, 1)))
        kernel, bias = self.output_projection.read(self.tied_table(self.target_embedding))
        projection = kernel, without_padding(bias)
        decoder = CachedDecoder(
            self.decoder,
            scaled_table(self.target_embedding, self.compute_dtype),
            lambda outputs: self.output_projection.project(outputs, projection),
            num_beams,
            ops.shape(source)[0],
            memory,
            max_length,
        )
        return decoder.start()

    def room_behind(self, steps: int | None) -> int | None:
        """How many tokens can be generated for a source: `max_target_length`."""
        return self.max_target_length

    def attention_scores(self, source: Tensor, target: Tensor) -> dict[str, list[Tensor]]:
        """What each head of each block attends to, for pictures.

        Args:
            source: ids `(batch, time)`.
            target: ids `(batch, target time)`, as they are read: the start token first.

        Returns:
            For each block, queries before keys: under `"encoder"` `(batch, heads, time, time)`, under `"decoder"`
            `(batch, heads, target time, target time)`, under `"cross"` `(batch, heads, target time, time)`.
        """
        if not self.built:
            self.build()
        source, target = self._checked_pair(tuple(map(ops.convert_to_tensor, (source, target))))
        embedded, mask = scale_embeddings(self.source_embedding(source)), ops.not_equal(source, 0)
        own, cross = self.decoder.compute_attention_scores(
            scale_embeddings(self.target_embedding(target)),
            self.encoder(embedded, mask=mask, training=False),
            mask=ops.not_equal(target, 0),
            memory_mask=mask,
        )
        encoder = self.encoder.compute_attention_scores(embedded, mask)
        return {"encoder": encoder, "decoder": own, "cross": cross}
