"""The loss of a model that predicts the next token."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops
from keras.src import backend

from keras_seq.recurrent.cell import Tensor


@keras.saving.register_keras_serializable(package="keras_seq")
class SequenceCrossentropy(keras.losses.Loss):
    """Cross-entropy of logits and ids, the mean over the tokens that are no padding.

    With label smoothing (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7) the target is not the right
    id alone: `label_smoothing` e of the probability is spread evenly over the vocabulary. With the logits z of a step
    and its id y:

        loss = (1 - e) (logsumexp(z) - z[y]) + e (logsumexp(z) - mean(z))

    which is what `keras.losses.CategoricalCrossentropy(label_smoothing=e)` gives on one-hot targets, without making
    them: a batch of 64 targets of 40 tokens in a vocabulary of 30,000 would need 300 MB for those.

    A token is left out where its id is `ignore_id`, and where the mask that `y_pred` carries is `False`. The mean is
    over the other tokens of the batch, so long sequences weigh more than short ones; a batch without a token has a loss
    of zero. The loss is computed in float32 under every dtype policy.

    Args:
        label_smoothing: how much of the probability to spread, at least 0 and less than 1; 0.1 is usual in translation.
        ignore_id: the id in `y_true` that is padding; `None` where there is none.
        reduction: as in the losses of Keras: `"sum_over_batch_size"` for the mean described above, `"sum"`, or `"none"`
            for the losses `(batch, time)`, zero where a token is left out.
        name: the loss' name in the logs.
        dtype: what the loss computes in, float32 unless `keras.config.floatx()` says otherwise.

    Call arguments:
        y_true: ids, `(batch, time)`.
        y_pred: logits, `(batch, time, vocabulary)`.
        sample_weight: `(batch,)` or `(batch, time)`; the losses are multiplied by it, and the divisor stays.

    Raises:
        ValueError: for a `label_smoothing` out of range, or shapes that do not go together.

    Example:
    >>> import keras, keras_seq
    >>> loss = keras_seq.SequenceCrossentropy()
    >>> logits = keras.ops.zeros((1, 3, 8))
    >>> round(float(loss(keras.ops.array([[5, 2, 0]]), logits)), 3)  # log 8; the third token is padding
    2.079
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        ignore_id: int | None = 0,
        reduction: str | None = "sum_over_batch_size",
        name: str = "sequence_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(
                f"`label_smoothing` must be at least 0 and less than 1. Received: label_smoothing={label_smoothing}"
            )
        self.label_smoothing = label_smoothing
        self.ignore_id = ignore_id

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The reduced loss; see the class for the shapes."""
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight)
            if len(sample_weight.shape) == 1:  # Keras would multiply it with the time axis
                sample_weight = ops.expand_dims(sample_weight, axis=-1)
        return super().__call__(y_true, y_pred, sample_weight=sample_weight)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The losses of all tokens, `(batch, time)`, with the mask of those that count."""
        if len(y_pred.shape) != 3 or len(y_true.shape) != 2 or not _same_sizes(y_true.shape, y_pred.shape[:2]):
            raise ValueError(
                "`y_true` must be ids of shape (batch, time) and `y_pred` logits of shape (batch, time, vocabulary). "
                f"Received: y_true.shape={tuple(y_true.shape)}, y_pred.shape={tuple(y_pred.shape)}"
            )
        ids = ops.cast(y_true, "int32")
        valid = None if self.ignore_id is None else ops.not_equal(ids, self.ignore_id)
        if valid is not None:
            ids = ops.where(valid, ids, 0)  # the padding may be no id at all, such as -1
        losses = ops.sparse_categorical_crossentropy(ids, y_pred, from_logits=True)
        if self.label_smoothing:
            spread = ops.logsumexp(y_pred, axis=-1) - ops.mean(y_pred, axis=-1)
            losses = (1.0 - self.label_smoothing) * losses + self.label_smoothing * spread
        if valid is not None:
            losses = ops.where(valid, losses, 0.0)
            backend.set_keras_mask(losses, valid)  # how a loss tells Keras' reduction what to leave out
        return losses

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing, "ignore_id": self.ignore_id}


def _same_sizes(shape: tuple[int | None, ...], other: tuple[int | None, ...]) -> bool:
    return all(None in (a, b) or a == b for a, b in zip(shape, other, strict=True))
