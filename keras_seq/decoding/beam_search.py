"""Beam search: the likeliest hypotheses side by side."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from keras import ops

from keras_seq.decoding.length_term import LENGTH_TERMS, length_term
from keras_seq.decoding.loop import gather_rows
from keras_seq.decoding.strategy import IMPOSSIBLE, Choice, Option, Run, Strategy, any_open
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


class Shared(NamedTuple):
    """What all steps of a beam search need.

    Attributes:
        rows: `(rows, 1)` int32, the numbers of the rows.
        first_rows: `(batch, 1)` int32, the first row of each source.
        end_factors: `(max_length,)`, 1 / the length term of what ends at each step. `()` where all hypotheses are
            asked for.
    """

    rows: Tensor
    first_rows: Tensor
    end_factors: Tensor | tuple[()]


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

    def prepare(self, run: Run) -> Shared:
        """See `Strategy.prepare`."""
        rows = ops.arange(run.batch * self.num_beams, dtype="int32")[:, None]
        first_rows = ops.arange(run.batch, dtype="int32")[:, None] * self.num_beams
        end_factors = ()
        if self.num_results < self.num_beams:
            lengths = ops.arange(self.max_length, dtype="int32") + 1
            end_factors = 1.0 / length_term(lengths, self.alpha, self.length_term)
        return Shared(rows, first_rows, end_factors)

    def start(self, run: Run) -> Beams:
        """Each source's first beam at log-probability 0, the others out of the running: they would all be the same."""
        first = np.full((1, self.num_beams), IMPOSSIBLE, "float32")
        first[0, 0] = 0.0
        log_probs = ops.reshape(ops.tile(ops.convert_to_tensor(first), (run.batch, 1)), (-1, 1))
        factors = ()
        if self.num_results < self.num_beams:
            factors = ops.ones_like(log_probs) / length_term(self.max_length, self.alpha, self.length_term)
        return Beams(log_probs, ops.zeros_like(log_probs, "bool"), factors, run.shared.rows[:, :0])

    def choose(self, step: Tensor, logits: Tensor, kept: Beams, run: Run) -> Choice:
        """See `Strategy.choose`."""
        beams, shared = self.num_beams, run.shared
        width = min(beams + run.margins, logits.shape[-1])
        frozen = np.full((1, width), IMPOSSIBLE, "float32")
        frozen[0, 0] = 0.0  # a finished hypothesis offers itself, once and at no cost

        values, ids = ops.top_k(ops.log_softmax(logits), width)  # (rows, width): no row has more to offer
        values = ops.where(kept.finished, ops.convert_to_tensor(frozen), values) + kept.log_probs
        ids = ops.where(kept.finished, run.end_id, ops.cast(ids, "int32"))
        values, best = ops.top_k(ops.reshape(values, (-1, beams * width)), beams + run.margins)  # (batch, beams)
        record = {}
        if run.margins:
            record["margins"] = values[:, beams - 1] - values[:, beams]
            values, best = values[:, :beams], best[:, :beams]
        log_probs = ops.reshape(values, (-1, 1))
        flat = ops.reshape(ops.cast(best, "int32") + shared.first_rows * width, (-1,))
        tokens = gather_rows(ops.reshape(ids, (-1,)), flat)
        parents = ops.floor_divide(flat, width)
        finished = ops.reshape(ops.equal(tokens, run.end_id), (-1, 1))
        path = ops.concatenate([gather_rows(kept.path, parents), shared.rows], axis=1)

        kept_factors, kept = kept.factors, Beams(log_probs, finished, (), path)
        if self.num_results == beams:
            return Choice(tokens, parents, kept, record, any_open(finished))
        # A hypothesis that ended before keeps its factor: that of a greater length is smaller.
        ends_here = ops.where(finished, gather_rows(shared.end_factors, step), 0.0)
        factors = ops.maximum(gather_rows(kept_factors, parents), ends_here)
        ended, best_live = self._rivals(log_probs * factors, finished, exact=run.margins)
        lead = best_live - ended
        if run.margins:
            record["margins"] = ops.minimum(record["margins"], ops.abs(lead)[:, 0])
        return Choice(tokens, parents, kept._replace(factors=factors), record, ops.max(lead) > 0.0)

    def path(self, kept: Beams) -> Tensor:
        """See `Strategy.path`."""
        return kept.path

    def score(self, log_probs: Tensor, lengths: Tensor) -> Tensor:
        """See `Strategy.score`."""
        return log_probs / length_term(ops.maximum(lengths, 1), self.alpha, self.length_term)

    def _rivals(self, scores: Tensor, finished: Tensor, exact: bool) -> tuple[Tensor, Tensor]:
        """Of each source, `(batch, 1)`: the last finished hypothesis that would come out, and the best unfinished one.

        Where one hypothesis is to come out, the second may be the best of all instead, unless `exact`: it is above the
        first in the same cases.
        """
        by_source = (-1, self.num_beams)
        ended = ops.reshape(ops.where(finished, scores, IMPOSSIBLE), by_source)
        if self.num_results > 1 or exact:
            scores = ops.where(finished, IMPOSSIBLE, scores)
        if self.num_results > 1:
            last = ops.top_k(ended, self.num_results)[0][:, -1:]
        else:
            last = ops.max(ended, axis=1, keepdims=True)
        return last, ops.max(ops.reshape(scores, by_source), axis=1, keepdims=True)
