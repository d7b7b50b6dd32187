"""Between targets and what a model reads and predicts when it is told the target."""

from __future__ import annotations

from keras import ops

from keras_seq.models.scheduled_sampling import without_padding
from keras_seq.recurrent.cell import Tensor


def one_step_late(target: Tensor, start_id: int) -> Tensor:
    """What is read to predict a target: the start token, then the target without its last step.

    Args:
        target: ids `(batch, time)`.
        start_id: the id of the start token.

    Example:
    >>> from keras import ops
    >>> from keras_seq.models.teacher_forcing import one_step_late
    >>> ops.convert_to_numpy(one_step_late(ops.array([[7, 4, 2]]), start_id=1)).tolist()
    [[1, 7, 4]]
    """
    start = ops.full((ops.shape(target)[0], 1), start_id, dtype=target.dtype)
    return ops.concatenate([start, target[:, :-1]], axis=1)


def target_log_probs(logits: Tensor, target: Tensor, per_token: bool) -> Tensor:
    """The log-probability of targets, in the distribution in which padding has no probability.

    Args:
        logits: `(batch, time, vocabulary)`, from the target one step late.
        target: ids `(batch, time)`, padding 0 behind them.
        per_token: whether to return those of each token, 0 at the padding, instead of their sum.

    Returns:
        `(batch,)` float32, or `(batch, time)`.
    """
    losses = ops.sparse_categorical_crossentropy(target, without_padding(logits), from_logits=True)
    log_probs = ops.where(ops.not_equal(target, 0), -losses, 0.0)
    return log_probs if per_token else ops.sum(log_probs, axis=1)
