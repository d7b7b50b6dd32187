"""What a trained language model is asked: to go on with prompts, to score sequences."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq.attention.attention_bias import causal_bias
from keras_seq.attention.known import axis_size
from keras_seq.decoding.decoding import Decoding
from keras_seq.decoding.hypotheses import Hypotheses
from keras_seq.decoding.loop import gather_rows
from keras_seq.decoding.strategy import Strategy
from keras_seq.models import input_checks
from keras_seq.models.cached_decoding import CachedDecoder, Prompt, scaled_table
from keras_seq.models.generating_model import GeneratingModel
from keras_seq.models.scheduled_sampling import without_padding
from keras_seq.models.teacher_forcing import one_step_late, target_log_probs
from keras_seq.recurrent.cell import Tensor
from keras_seq.transformer.stack import scale_embeddings


class LanguageModelInference(GeneratingModel):
    """Mixin of `TransformerLM`: how it reads prompts and decodes."""

    def generate(self, prompt: Tensor | None = None, strategy: Strategy | None = None, **settings: Any) -> Hypotheses:
        """Goes on with prompts.

        Args:
            prompt: ids `(batch, time)` without a start token, padding 0 behind them. A row of padding alone is no
                prompt: it is generated from the start. `None` for one such row.
            strategy: how to choose the tokens: a `keras_seq.BeamSearch`, which is the default, `Greedy` or `Sampling`.
            **settings: settings of the strategy to replace, such as `num_beams=8`.

        Returns:
            The hypotheses, the best of each prompt first: what comes behind the prompt, and its log-probability given
            the prompt.

        Raises:
            ValueError: if prompt and tokens asked for are longer than `max_length`.
        """
        prompt = np.zeros((1, 0), "int32") if prompt is None else prompt
        return super().generate(prompt, strategy, **settings)

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
        prompt = prompt if hasattr(prompt, "shape") else np.asarray(prompt)
        self.check_ids("prompt", prompt)
        input_checks.check_padding_last("prompt", prompt)
        if not self.built:
            self.build()
        prompt = ops.convert_to_tensor(prompt, dtype="int32")
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
        whole = ops.concatenate([ops.full((batch, 1), self.start_id, "int32"), prompt], axis=1)
        last = ops.arange(batch, dtype="int32") * (steps + 1) + lengths
        return Prompt(cache, seen, lengths[:, None], gather_rows(ops.reshape(whole, (-1,)), last))

    def score(self, ids: Tensor, per_token: bool = False) -> Tensor:
        """The log-probability of sequences, log P(y).

        It is the distribution that `generate` searches, in which padding has no probability.

        Args:
            ids: `(batch, time)` without a start token, the end token included, padding behind it. Without an end token
                the result is the probability that a sequence begins so.
            per_token: whether to return the logarithms of each token, 0 at the padding, instead of their sum.

        Returns:
            `(batch,)` float32, or `(batch, time)`.
        """
        ids = ids if hasattr(ids, "shape") else np.asarray(ids)
        self.check_ids("ids", ids)
        input_checks.check_padding_last("ids", ids)
        ids = ops.convert_to_tensor(ids, dtype="int32")
        return target_log_probs(self(one_step_late(ids, self.start_id), training=False), ids, per_token)

    def check_ids(self, name: str, ids: Tensor) -> None:
        """Checks sequences as far as they are known.

        Args:
            name: what they are called in the message.
            ids: `(batch, time)`.

        Raises:
            ValueError: for ids outside the vocabulary, a sequence that is too long, or another number of axes.
        """
        input_checks.check_rank(name, ids, "batch, time")
        input_checks.check_ids(name, ids, self.vocabulary_size)
        input_checks.check_length(name, ids, self.max_length, "max_length")

    def room_behind(self, steps: int | None) -> int | None:
        """How many tokens can be generated behind a prompt of so many steps: what it leaves of `max_length`."""
        return None if self.max_length is None else self.max_length - (steps or 0)

    def generation_limits(self, max_length: int) -> tuple[int | None, dict[str, int]]:
        """See `GeneratingModel.generation_limits`: what is left of the positions is for the prompts."""
        super().generation_limits(max_length)
        if self.max_length is None:
            return None, {}
        return max_length, {"time": self.max_length - max_length}

    @property
    def input_specs(self) -> keras.InputSpec:
        """What `call` takes, with name, shape and dtype."""
        return keras.InputSpec(shape=(None, None), dtype="int32", name="ids")

    @property
    def decoding_specs(self) -> keras.InputSpec:
        """What `start_decoding` takes: the prompts."""
        return keras.InputSpec(shape=(None, None), dtype="int32", name="prompt")

    @property
    def pad_values(self) -> dict[str, int]:
        """What fills up the inputs of `start_decoding`, by name, where `call` does not take them too."""
        return {"prompt": 0}

    @property
    def vocabulary_sizes(self) -> dict[str, int]:
        """How many ids there are for each input that consists of ids, by name."""
        return {"ids": self.vocabulary_size, "prompt": self.vocabulary_size}

    @property
    def size_limits(self) -> dict[str, int]:
        """The largest sizes of dynamic axes, by the axis' name."""
        return {} if self.max_length is None else {"time": self.max_length}
