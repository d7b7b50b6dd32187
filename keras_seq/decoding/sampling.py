"""Sampling: the next token drawn at random, by its probability."""

from dataclasses import dataclass
from typing import ClassVar

from keras import ops

from keras_seq.decoding.loop import gather_rows
from keras_seq.decoding.strategy import Choice, Option, Run, Strategy, any_open
from keras_seq.decoding.uniform_stream import next_uniform, seed_rows
from keras_seq.recurrent.cell import Tensor


@dataclass(frozen=True, kw_only=True)
class Sampling(Strategy):
    """Draws the next token by its probability, made sharper or flatter, from all tokens or the likeliest ones.

    The draws depend on `seed`, the row and the step alone, and are the same on every backend and in an exported graph.
    The score of a hypothesis is its log-probability under the model itself, whatever the temperature.

    Args:
        temperature: the logits are divided by it: below 1 for likelier tokens, above 1 for rarer ones. Near 0 it is
            greedy search.
        top_k: how many of the likeliest tokens to draw from; `None` for all.
        top_p: draw from the likeliest tokens that together have at least this probability (Holtzman et al. 2020,
            https://arxiv.org/abs/1904.09751), after the temperature and among the `top_k`; `None` for all.
        min_p: draw from the tokens that are at least this many times as likely as the likeliest (Nguyen et al. 2024,
            https://arxiv.org/abs/2407.01082), after the temperature: few where the model is sure, many where it is
            not; `None` for all.
        seed: of the random numbers, at least 0.
        num_samples: how many hypotheses to draw for each source.
        max_length: the most tokens of a hypothesis, the end token counted.
        min_length: the fewest; the end token cannot come earlier.
        banned_ids: ids that are never chosen, such as that of unknown words.

    Example:
    >>> import keras_seq
    >>> keras_seq.Sampling(temperature=0.8, top_k=40, seed=7, banned_ids=[3]).banned_ids
    (3,)
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    seed: int = 0
    num_samples: int = 1

    options: ClassVar[dict[str, Option]] = {
        **Strategy.options,
        "temperature": Option("float32", 0.01, 100.0),
        "top_p": Option("float32", 0.0, 1.0),
        "min_p": Option("float32", 0.0, 1.0),
        "seed": Option("int32", 0, 2**31 - 1),
    }

    def __post_init__(self):
        super().__post_init__()
        for name in ("top_k", "num_samples"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")

    @property
    def rows_per_source(self) -> int:
        """How many hypotheses of one source are followed at a time."""
        return self.num_samples

    def records(self) -> dict[str, tuple[str, int]]:
        """The log-probability of each row's token."""
        return {"log_probs": ("float32", 1)}

    def prepare(self, run: Run) -> Tensor:
        """The numbers of the rows, `(rows,)`."""
        return ops.arange(run.batch * self.num_samples, dtype="int32")

    def start(self, run: Run) -> tuple[Tensor, Tensor]:
        """Which rows have ended, and their random numbers."""
        return ops.zeros((run.batch * self.num_samples,), "bool"), seed_rows(self.seed, run.shared)

    def choose(self, step: Tensor, logits: Tensor, kept: tuple[Tensor, Tensor], run: Run) -> Choice:
        """See `Strategy.choose`; a row that has ended goes on unheeded."""
        finished, stream = kept
        log_probs, ids = self._candidates(ops.log_softmax(logits))  # (rows, candidates)
        probs = ops.softmax(log_probs / self.temperature)
        probs, distances = self._bounded(probs)
        ends = ops.cumsum(probs, axis=-1)
        uniform, stream = next_uniform(stream)
        # Just below the sum: rounding must not carry a draw past the last token that has any probability.
        drawn = uniform[:, None] * ends[:, -1:] * (1 - 1e-6)
        index = ops.sum(ops.cast(ends <= drawn, "int32"), axis=-1)
        flat = index + run.shared * log_probs.shape[-1]
        tokens = index if ids is None else gather_rows(ops.reshape(ids, (-1,)), flat)
        chosen = gather_rows(ops.reshape(log_probs, (-1,)), flat)
        ended = ops.logical_or(finished, ops.equal(tokens, run.end_id))
        record = {"log_probs": chosen}
        if run.margins:
            closest = [ops.min(ops.abs(values), axis=-1) for values in (ends - drawn, *distances)]
            record["margins"] = ops.where(finished, 1.0, ops.min(ops.stack(closest), axis=0))
        return Choice(tokens, None, (ended, stream), record, any_open(ended))

    def _bounded(self, probs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The probabilities without those of tokens not to draw, and how far each token is from each bound."""
        distances = []
        allowed = probs
        if self.top_p is not None:
            before = ops.cumsum(probs, axis=-1) - probs  # of all that are likelier
            distances.append(ops.maximum(self.top_p, 1e-9) - before)  # the first always
            allowed = allowed * ops.cast(distances[-1] > 0, "float32")
        if self.min_p is not None:
            distances.append(probs - self.min_p * ops.max(probs, axis=-1, keepdims=True))
            allowed = allowed * ops.cast(distances[-1] >= 0, "float32")
        return allowed, distances

    def _candidates(self, log_probs: Tensor) -> tuple[Tensor, Tensor | None]:
        """The tokens to draw from, likeliest first where the order counts, and their ids if they are not all."""
        if self.top_k is None and self.top_p is None:
            return log_probs, None
        vocabulary = log_probs.shape[-1]
        values, ids = ops.top_k(log_probs, min(self.top_k or vocabulary, vocabulary))
        return values, ops.cast(ids, "int32")
