"""What a trained language model is asked: to go on with prompts, to say how likely sentences are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq.decoding.hypotheses import Hypotheses
from keras_seq.decoding.sampling import Sampling
from keras_seq.decoding.strategy import Strategy
from keras_seq.decoding.stream_tokens import stream_tokens
from keras_seq.models import input_checks
from keras_seq.models.generating_model import GeneratingModel, start_decoding
from keras_seq.models.teacher_forcing import one_step_late, target_log_probs
from keras_seq.models.text_input import TextInput
from keras_seq.recurrent.cell import Tensor


class LanguageModelInference(GeneratingModel):
    """Mixin of `LanguageModel` and `TransformerLM`, which define `start_decoding`, `max_length` and `tokenizer`."""

    def generate(self, prompt: Any = None, strategy: Strategy | None = None, **settings: Any) -> Hypotheses:
        """Goes on with prompts.

        Args:
            prompt: ids `(batch, time)` without a start token, padding 0 behind them; or, with a tokenizer, a text or a
                list of texts. A row of padding alone, or an empty text, is no prompt: it is generated from the start.
                `None` for one such row.
            strategy: how to choose the tokens: a `keras_seq.Sampling`, which is the default and never draws the unknown
                token of a tokenizer; `Greedy` or `BeamSearch`.
            **settings: settings of the strategy to replace, such as `num_samples=8`.

        Returns:
            The hypotheses, the best of each prompt first: what comes behind the prompt, and its log-probability given
            the prompt.

        Raises:
            ValueError: if prompt and tokens asked for are longer than `max_length`, or a prompt of words has none that
                is known.
        """
        return super().generate(self._prompt(prompt), strategy, **settings)

    def stream(
        self, prompt: Any = None, strategy: Strategy | None = None, **settings: Any
    ) -> Iterator[int] | Iterator[str]:
        """Goes on with a prompt, token by token.

        Args:
            prompt: the ids of one prompt, `(time,)`; or, with a tokenizer, a text; `None` for none.
            strategy: `Sampling`, which is the default, or `Greedy`.
            **settings: settings of the strategy to replace.

        Returns:
            An iterator of ids as they are chosen, or of pieces of text where the prompt is a text. They are the ones
            that `generate` gives with the same strategy and seed.

        Raises:
            ValueError: as `generate` does; for a beam search, or several samples or prompts.
        """
        ids = self._prompt(prompt if prompt is None or isinstance(prompt, str) else np.asarray(prompt)[None])
        strategy = self.settled_strategy(strategy, self.room_behind(ids.shape[1]), settings)
        if strategy.num_results != 1:
            raise ValueError(
                f"`stream` gives one text away as it comes. Received: a strategy that gives {strategy.num_results}: "
                f"{strategy}"
            )
        decoding = start_decoding(self, ids, strategy)
        chosen = stream_tokens(decoding, strategy, start_id=self.start_id, end_id=self.end_id)
        tokens = (int(step[0]) for step in chosen)
        return self.text_input.pieces(ids[0], tokens) if isinstance(prompt, str) else tokens

    def log_prob(self, sentences: Any, per_token: bool = False) -> Tensor:
        """The log-probability of sentences, log P(y): the sum over the steps, that of the end token included.

        It is the distribution that `generate` draws from, in which padding has no probability.

        Args:
            sentences: ids `(batch, time)` without a start token, the end token included, padding behind it; or, with a
                tokenizer, a list of texts, whose end is added. Without an end token the result is the probability that
                a sequence begins so.
            per_token: whether to return the logarithms of each token, 0 at the padding, instead of their sum.

        Returns:
            `(batch,)` float32, or `(batch, time)`.

        Raises:
            ValueError: for ids outside the vocabulary, or no sentence at all.
        """
        ids = self.text_input.ids("sentences", sentences, ends=True)
        self.check_ids("sentences", ids)
        input_checks.check_padding_last("sentences", ids)
        ids = ops.convert_to_tensor(ids, dtype="int32")
        return target_log_probs(self(one_step_late(ids, self.start_id), training=False), ids, per_token)

    @property
    def text_input(self) -> TextInput:
        """How texts become ids."""
        return TextInput(self.tokenizer, self.name)

    def default_strategy(self) -> Strategy:
        """How to choose the tokens unless something else is asked for: by their probability, the unknown one never."""
        return Sampling(banned_ids=() if self.tokenizer is None else (self.tokenizer.unknown_id,))

    def _prompt(self, prompt: Any) -> Tensor:
        return np.zeros((1, 0), "int32") if prompt is None else self.text_input.ids("prompt", prompt)

    def checked_prompt(self, prompt: Any) -> Tensor:
        """A prompt as `start_decoding` reads it, `(batch, time)` int32.

        Raises:
            ValueError: for ids outside the vocabulary, a prompt that is too long, or tokens behind padding.
        """
        prompt = prompt if hasattr(prompt, "shape") else np.asarray(prompt)
        self.check_ids("prompt", prompt)
        input_checks.check_padding_last("prompt", prompt)
        if not self.built:
            self.build()
        return ops.convert_to_tensor(prompt, dtype="int32")

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
        self._check_room(max_length, self.room_behind(1))
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
