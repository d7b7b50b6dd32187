"""Beam search: the likeliest hypotheses side by side."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from keras import ops

from keras_seq.decoding.length_term import LENGTH_TERMS, length_term
from keras_seq.decoding.loop import gather_rows
from keras_seq.decoding.strategy import IMPOSSIBLE, Choice, Option, Run, Strategy
from keras_seq.recurrent.cell import Tensor


class Beams(NamedTuple):
    """What beam search carries from step to step; `rows = batch * num_beams`.

    Attributes:
        log_probs: `(rows, 1)`, of each hypothesis so far.
        finished: `(rows, 1)` booleans.
        factors: `(rows, 1)`: what `log_probs` times it is at best: 1 / the length term at the end of a hypothesis that
            has ended, at the maximum length of one that has not. `()` where all hypotheses are asked for.
        path: `(rows, steps)` int32, the row that each hypothesis was in at every step.
    """

    log_probs: Tensor
    finished: Tensor
    factors: Tensor | tuple[()]
    path: Tensor


@dataclass(frozen=True, kw_only=True)
class BeamSearch(Strategy):
    """Follows the `num_beams` likeliest hypotheses of each source side by side.

    At each step every hypothesis is continued by every token, and the likeliest `num_beams` of all continuations of a
    source are kept. One that has ended is frozen: it keeps its place and its log-probability as long as fewer than
    `num_beams` others are likelier. In the end the hypotheses are ranked by

        score(y) = log P(y|x) / length_term(T),     length_term(T) = T^alpha  or  ((5 + T) / 6)^alpha

    as a sum of logarithms is the smaller the longer the hypothesis. A source is settled when none of its unfinished
    hypotheses can come among the best `num_hypotheses` any more: its score can never be above its log-probability so
    far over the length term of the maximum length. The loop stops when all sources are settled.

    Args:
        num_beams: how many hypotheses are followed. 1 is greedy search.
        num_hypotheses: how many come out for each source, the best first; by default all. With fewer the search can
            stop earlier.
        alpha: strength of the length normalisation; 0 for none.
        length_term: `"power"`, T^alpha, or `"gnmt"`, ((5 + T) / 6)^alpha (Wu et al. 2016,
            https://arxiv.org/abs/1609.08144, equation 14).
        max_length: the most tokens of a hypothesis, the end token counted.
        min_length: the fewest; the end token cannot come earlier.
        banned_ids: ids that are never chosen, such as that of unknown words.

    Example:
    >>> import keras_seq
    >>> keras_seq.BeamSearch(num_beams=4, num_hypotheses=1, alpha=0.7).num_results
    1
    """

    num_beams: int = 4
    num_hypotheses: int | None = None
    alpha: float = 0.7
    length_term: str = "power"

    options: ClassVar[dict[str, Option]] = {**Strategy.options, "alpha": Option("float32", 0.0, 10.0)}

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.num_beams, int) or self.num_beams < 1:
            raise ValueError(f"`num_beams` must be a positive integer. Received: num_beams={self.num_beams!r}")
        if self.num_hypotheses is not None and not 1 <= self.num_hypotheses <= self.num_beams:
            raise ValueError(
                "`num_hypotheses` must be from 1 to `num_beams`. "
                f"Received: num_hypotheses={self.num_hypotheses}, num_beams={self.num_beams}"
            )
        if self.length_term not in LENGTH_TERMS:
            raise ValueError(
                f"`length_term` must be one of {', '.join(LENGTH_TERMS)}. Received: length_term={self.length_term!r}"
            )

    @property
    def rows_per_source(self) -> int:
        """How many hypotheses of one source are followed at a time."""
        return self.num_beams

    @property
    def num_results(self) -> int:
        """How many hypotheses of one source come out."""
        return self.num_hypotheses or self.num_beams

    def check(self, vocabulary: int, start_id: int, end_id: int) -> None:
        """See `Strategy.check`."""
        super().check(vocabulary, start_id, end_id)
        choices = vocabulary - len(set(self.banned_ids))
        if self.num_beams > choices:
            raise ValueError(
                f"`num_beams` must not be above the number of tokens to choose from, {choices} (a vocabulary of "
                f"{vocabulary} less the banned ids). Received: num_beams={self.num_beams}"
            )

    def records(self) -> dict[str, tuple[str, int]]:
        """Nothing beside the tokens."""
        return {}

    def start(self, run: Run) -> Beams:
        """Each source's first beam at log-probability 0, the others out of the running: they would all be the same."""
        rows = run.batch * self.num_beams
        first = np.full((1, self.num_beams), IMPOSSIBLE, "float32")
        first[0, 0] = 0.0
        log_probs = ops.reshape(ops.tile(ops.convert_to_tensor(first), (run.batch, 1)), (-1, 1))
        factors = ()
        if self.num_results < self.num_beams:
            factors = ops.ones((rows, 1)) / length_term(self.max_length, self.alpha, self.length_term)
        return Beams(log_probs, ops.zeros((rows, 1), "bool"), factors, ops.zeros((rows, 0), "int32"))

    def choose(self, step: Tensor, logits: Tensor, kept: Beams, run: Run) -> Choice:
        """See `Strategy.choose`."""
        beams = self.num_beams
        width = min(beams + run.margins, logits.shape[-1])
        first_rows = ops.arange(run.batch, dtype="int32")[:, None] * beams
        frozen = np.full((1, width), IMPOSSIBLE, "float32")
        frozen[0, 0] = 0.0  # a finished hypothesis offers itself, once and at no cost

        values, ids = ops.top_k(ops.log_softmax(logits), width)  # (rows, width): no row has more to offer
        values = ops.where(kept.finished, ops.convert_to_tensor(frozen), values) + kept.log_probs
        ids = ops.where(kept.finished, run.end_id, ops.cast(ids, "int32"))
        best_values, best = ops.top_k(ops.reshape(values, (-1, beams * width)), beams + run.margins)
        log_probs = ops.reshape(best_values[:, :beams], (-1, 1))
        flat = ops.reshape(ops.cast(best[:, :beams], "int32") + first_rows * width, (-1, 1))  # (rows, 1)
        tokens = gather_rows(ops.reshape(ids, (-1,)), flat)
        finished = ops.equal(tokens, run.end_id)
        parents = ops.reshape(ops.floor_divide(flat, width), (-1,))

        rows = ops.reshape(ops.arange(run.batch * beams, dtype="int32"), (-1, 1))
        path = ops.concatenate([gather_rows(kept.path, parents), rows], axis=1)
        factors, settled, gap = (), finished, None
        if self.num_results < beams:
            ends_here = 1.0 / length_term(step + 1, self.alpha, self.length_term)
            factors = ops.maximum(gather_rows(kept.factors, parents), ops.where(finished, ends_here, 0.0))
            gap = self._gap(ops.reshape(log_probs * factors, (-1, beams)), ops.reshape(finished, (-1, beams)))
            settled = gap >= 0.0
        record = {}
        if run.margins:
            margins = best_values[:, beams - 1] - best_values[:, beams]
            # A gap of any size to what is IMPOSSIBLE decides nothing closely.
            record["margins"] = margins if gap is None else ops.minimum(margins, ops.abs(gap[:, 0]))
        kept = Beams(log_probs, finished, factors, path)
        return Choice(ops.reshape(tokens, (-1,)), parents, kept, record, ops.all(settled))

    def path(self, kept: Beams) -> Tensor:
        """See `Strategy.path`."""
        return kept.path

    def score(self, log_probs: Tensor, lengths: Tensor) -> Tensor:
        """See `Strategy.score`."""
        return log_probs / length_term(ops.maximum(lengths, 1), self.alpha, self.length_term)

    def _gap(self, scores: Tensor, finished: Tensor) -> Tensor:
        """`(batch, 1)`: by how much the last of the finished hypotheses that come out beats all unfinished ones."""
        ended = ops.where(finished, scores, IMPOSSIBLE)
        if self.num_results > 1:
            last_ended = ops.top_k(ended, self.num_results)[0][:, -1:]
        else:
            last_ended = ops.max(ended, axis=1, keepdims=True)
        return last_ended - ops.max(ops.where(finished, IMPOSSIBLE, scores), axis=1, keepdims=True)
