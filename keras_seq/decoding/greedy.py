"""Greedy search: always the likeliest next token."""

from dataclasses import dataclass

from keras import ops

from keras_seq.decoding.strategy import Choice, Run, Strategy
from keras_seq.recurrent.cell import Tensor


@dataclass(frozen=True, kw_only=True)
class Greedy(Strategy):
    """Always the likeliest next token. One hypothesis a source; its score is its log-probability.

    Args:
        max_length: the most tokens of a hypothesis, the end token counted.
        min_length: the fewest; the end token cannot come earlier.
        banned_ids: ids that are never chosen, such as that of unknown words.

    Example:
    >>> import keras_seq
    >>> keras_seq.Greedy(max_length=20).max_length
    20
    """

    def records(self) -> dict[str, tuple[str, int]]:
        """The log-probability of each row's token."""
        return {"log_probs": ("float32", 1)}

    def start(self, run: Run) -> Tensor:
        """Which rows have ended: none."""
        return ops.zeros((run.batch,), "bool")

    def choose(self, step: Tensor, logits: Tensor, kept: Tensor, run: Run) -> Choice:
        """See `Strategy.choose`; a row that has ended goes on unheeded."""
        values, ids = ops.top_k(ops.log_softmax(logits), 2 if run.margins else 1)
        best, tokens = (values[:, 0], ids[:, 0]) if run.margins else (ops.reshape(t, (-1,)) for t in (values, ids))
        tokens = ops.cast(tokens, "int32")
        finished = ops.logical_or(kept, ops.equal(tokens, run.end_id))
        record = {"log_probs": best}
        if run.margins:
            record["margins"] = ops.where(kept, 1.0, values[:, 0] - values[:, 1])
        return Choice(tokens, None, finished, record, ops.all(finished))
