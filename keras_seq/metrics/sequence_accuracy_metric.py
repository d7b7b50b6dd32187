"""Exact matches as a Keras metric."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_seq.metrics.shape_check import ids_and_scores
from keras_seq.recurrent.cell import Tensor

__all__ = ["SequenceAccuracy"]


@keras.saving.register_keras_serializable(package="keras_seq")
class SequenceAccuracy(keras.metrics.Metric):
    """The share of sequences whose tokens are all right; padding does not count.

    With teacher forcing, as in `fit`, every step is given the reference's own tokens before it. A sequence all of whose
    steps are right is then exactly one that greedy decoding gives, so this is greedy decoding's share of exact matches,
    at no cost. It is strict: with tokens right 99 times of 100, a sequence of 50 of them is right 6 times of 10.

    Args:
        ignore_id: The id in `y_true` that is padding. A sequence of nothing else counts neither as right nor as wrong.
        name: The metric's name in the logs.
        dtype: The metric's dtype.

    Call arguments:
        y_true: Ids, `(batch, time)`.
        y_pred: Logits or probabilities, `(batch, time, vocabulary)`.
        sample_weight: `(batch,)` weights of the sequences, or `(batch, time)`, where 0 leaves a token out and any
            other weight is as good as 1. `None` takes all alike.

    Example:

    >>> metric = SequenceAccuracy()
    >>> y_true = ops.array([[2, 1, 0], [1, 2, 1]])  # the first has two tokens
    >>> y_pred = ops.one_hot(ops.array([[2, 1, 2], [1, 2, 2]]), 3)
    >>> float(metric(y_true, y_pred))
    0.5
    """

    def __init__(self, ignore_id: int = 0, name: str = "sequence_accuracy", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.ignore_id = ignore_id
        self.right = self.add_variable(shape=(), initializer="zeros", name="right")
        self.weight = self.add_variable(shape=(), initializer="zeros", name="weight")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        """Counts a batch.

        Raises:
            ValueError: If the shapes do not go together.
        """
        y_true, y_pred = ids_and_scores(y_true, y_pred)
        valid = ops.not_equal(y_true, self.ignore_id)
        weights = None if sample_weight is None else ops.convert_to_tensor(sample_weight, self.dtype)
        if weights is not None and len(weights.shape) == 2 and weights.shape[1] != 1:
            valid, weights = ops.logical_and(valid, ops.not_equal(weights, 0)), None
        wrong = ops.not_equal(ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, axis=-1), "int32"))
        right = ops.logical_not(ops.any(ops.logical_and(wrong, valid), axis=-1))
        counts = ops.cast(ops.any(valid, axis=-1), self.dtype)
        if weights is not None:
            counts = counts * ops.reshape(weights, (-1,))
        self.right.assign_add(ops.sum(ops.cast(right, self.dtype) * counts))
        self.weight.assign_add(ops.sum(counts))

    def result(self) -> Tensor:
        """The share so far, from 0 to 1; 0 before anything was counted."""
        return ops.divide_no_nan(self.right, self.weight)

    def get_config(self) -> dict:
        """What `from_config` needs."""
        return {"name": self.name, "dtype": self.dtype, "ignore_id": self.ignore_id}
