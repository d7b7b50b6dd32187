"""Greedy search: always the likeliest next token."""

from dataclasses import dataclass

from keras import ops

from keras_seq.decoding.strategy import Choice, Run, Strategy, any_open
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
        """Each row's token and its log-probability, `(rows, 1)`."""
        return {"tokens": ("int32", 2), "log_probs": ("float32", 2)}

    def start(self, run: Run) -> Tensor:
        """Which rows have ended: none."""
        return ops.zeros((run.batch,), "bool")

    def choose(self, step: Tensor, logits: Tensor, kept: Tensor, run: Run) -> Choice:
        """See `Strategy.choose`; a row that has ended goes on unheeded."""
        log_probs, ids = ops.top_k(ops.log_softmax(logits), 2 if run.margins else 1)
        record = {}
        if run.margins:
            record["margins"] = ops.where(kept, 1.0, log_probs[:, 0] - log_probs[:, 1])
            log_probs, ids = log_probs[:, :1], ids[:, :1]
        record |= {"tokens": ops.cast(ids, "int32"), "log_probs": log_probs}
        tokens = ops.reshape(record["tokens"], (-1,))
        finished = ops.logical_or(kept, ops.equal(tokens, run.end_id))
        return Choice(tokens, None, finished, record, any_open(finished))
