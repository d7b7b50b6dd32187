"""How the decoder-only transformer reads prompts and goes on."""

from __future__ import annotations

from keras import ops

from keras_seq.attention.attention_bias import causal_bias
from keras_seq.attention.known import axis_size
from keras_seq.decoding.decoding import Decoding
from keras_seq.models.cached_decoding import CachedDecoder, Prompt, scaled_table
from keras_seq.models.language_model_inference import LanguageModelInference
from keras_seq.models.scheduled_sampling import without_padding
from keras_seq.models.teacher_forcing import last_tokens, one_step_late
from keras_seq.recurrent.cell import Tensor
from keras_seq.transformer.stack import scale_embeddings


class TransformerLMDecoding(LanguageModelInference):
    """Mixin of `TransformerLM`: its step."""

    def start_decoding(self, prompt: Tensor, num_beams: int = 1, max_length: int | Tensor | None = None) -> Decoding:
        """Reads prompts, and gives the step that goes on; for `keras_seq.generate`.

        Args:
            prompt: ids `(batch, time)`, padding behind them; `time` may be 0.
            num_beams: how many hypotheses of each prompt are followed: the rows are `batch * num_beams`, those of one
                prompt neighbours.
            max_length: how many steps there will be at most, so that their positions are computed beforehand; without
                it each step computes its own.

        Returns:
            A decoding. Its logits have -1e9 added at id 0: padding is never generated.
        """
        prompt = self.checked_prompt(prompt)
        kernel, bias = self.output_projection.read(self.tied_table(self.embedding))
        projection = kernel, without_padding(bias)
        decoder = CachedDecoder(
            self.decoder,
            scaled_table(self.embedding, self.compute_dtype),
            lambda outputs: self.output_projection.project(outputs, projection),
            num_beams,
            ops.shape(prompt)[0],
            num_positions=None if max_length is None else axis_size(prompt, 1) + max_length,
        )
        return decoder.start(None if prompt.shape[1] == 0 else self._read_prompt(prompt))

    def _read_prompt(self, prompt: Tensor) -> Prompt:
        """Reads the start token and all of each prompt but its last token, which the first step reads."""
        batch, steps = ops.shape(prompt)[0], axis_size(prompt, 1)
        lengths = ops.sum(ops.cast(ops.not_equal(prompt, 0), "int32"), axis=1)  # (batch,)
        inputs = scale_embeddings(self.embedding(one_step_late(prompt, self.start_id)))
        # No bias for the padding: it is behind all that is read, and no step will see it.
        _, cache = self.decoder.step(inputs, self.decoder.empty_cache(batch), causal_bias(steps, steps))
        seen = ops.arange(steps, dtype="int32")[None, :] < lengths[:, None]
        return Prompt(cache, seen, lengths[:, None], last_tokens(prompt, lengths, self.start_id))
