"""Between targets and what a model reads and predicts when it is told the target."""

from __future__ import annotations

from keras import ops

from keras_seq.attention.known import axis_size
from keras_seq.decoding.loop import gather_rows
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


def last_tokens(prompt: Tensor, lengths: Tensor, start_id: int) -> Tensor:
    """The last token of each prompt, which the first step of decoding reads; of an empty one the start token.

    Args:
        prompt: ids `(batch, time)`, padding behind them.
        lengths: how many tokens each row has, `(batch,)` int32.
        start_id: the id of the start token.

    Returns:
        `(batch,)` int32.

    Example:
    >>> from keras import ops
    >>> from keras_seq.models.teacher_forcing import last_tokens
    >>> ops.convert_to_numpy(last_tokens(ops.array([[7, 4, 0], [0, 0, 0]]), ops.array([2, 0]), start_id=1)).tolist()
    [4, 1]
    """
    batch, steps = ops.shape(prompt)[0], axis_size(prompt, 1)
    whole = ops.concatenate([ops.full((batch, 1), start_id, "int32"), prompt], axis=1)
    last = ops.arange(batch, dtype="int32") * (steps + 1) + lengths
    return gather_rows(ops.reshape(whole, (-1,)), last)


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
