"""How well a model predicts the next token, as Keras metrics."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from keras_seq.metrics.shape_check import ids_and_scores
from keras_seq.recurrent.cell import Tensor

__all__ = ["BitsPerCharacter", "Perplexity"]


class _MeanLogLoss(keras.metrics.Metric):
    """The mean of -log p over all tokens so far that are no padding; subclasses say it in their units."""

    def __init__(self, ignore_id: int = 0, name: str | None = None, dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.ignore_id = ignore_id
        self.log_loss = self.add_variable(shape=(), initializer="zeros", name="log_loss")
        self.tokens = self.add_variable(shape=(), initializer="zeros", name="tokens")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        """Counts a batch.

        Raises:
            ValueError: If the shapes do not go together.
        """
        y_true, y_pred = ids_and_scores(y_true, y_pred)
        weights = ops.cast(ops.not_equal(y_true, self.ignore_id), self.dtype)
        if sample_weight is not None:
            given = ops.cast(sample_weight, self.dtype)
            weights = weights * (given if len(given.shape) == 2 else ops.expand_dims(given, axis=-1))
        ids = ops.cast(ops.where(ops.not_equal(y_true, self.ignore_id), y_true, 0), "int32")
        losses = ops.sparse_categorical_crossentropy(ids, ops.cast(y_pred, "float32"), from_logits=True)
        self.log_loss.assign_add(ops.sum(ops.cast(losses, self.dtype) * weights))
        self.tokens.assign_add(ops.sum(weights))

    def mean(self) -> Tensor:
        """The mean of -log p so far; 0 before anything was counted."""
        return ops.divide_no_nan(self.log_loss, self.tokens)

    def get_config(self) -> dict:
        """What `from_config` needs."""
        return {"name": self.name, "dtype": self.dtype, "ignore_id": self.ignore_id}


@keras.saving.register_keras_serializable(package="keras_seq")
class Perplexity(_MeanLogLoss):
    """The perplexity of a language model: among how many equally likely tokens it is as undecided.

        perplexity = exp(-1/T Σ log p(y<t> | y<1>, …, y<t-1>))

    The mean is over all tokens that are no padding, of all batches: the perplexity of a text is not the mean of its
    parts' perplexities. Perplexities are comparable for the same vocabulary and the same tokens alone.

    Args:
        ignore_id: The id in `y_true` that is padding.
        name: The metric's name in the logs.
        dtype: The metric's dtype.

    Call arguments:
        y_true: Ids, `(batch, time)`.
        y_pred: Logits, `(batch, time, vocabulary)`.
        sample_weight: `(batch,)` or `(batch, time)`: how much each sequence or token counts.

    Example:

    >>> import keras_seq
    >>> metric = keras_seq.Perplexity()
    >>> round(float(metric(ops.array([[5, 2, 0]]), ops.zeros((1, 3, 8)))), 3)  # all 8 tokens are as likely
    8.0
    """

    def __init__(self, ignore_id: int = 0, name: str = "perplexity", dtype: Any = None):
        super().__init__(ignore_id, name, dtype)

    def result(self) -> Tensor:
        """The perplexity so far, at least 1."""
        return ops.exp(self.mean())


@keras.saving.register_keras_serializable(package="keras_seq")
class BitsPerCharacter(_MeanLogLoss):
    """How many bits a language model needs for a character: the mean of -log2 p.

    By character that is the cross-entropy in bits. For tokens that stand for several characters, say how many they are
    on average, the blanks between them counted: bits per character are comparable between models of any vocabulary.

    Args:
        characters_per_token: The number of characters of the text, divided by its tokens.
        ignore_id: The id in `y_true` that is padding.
        name: The metric's name in the logs.
        dtype: The metric's dtype.

    Call arguments:
        y_true: Ids, `(batch, time)`.
        y_pred: Logits, `(batch, time, vocabulary)`.
        sample_weight: `(batch,)` or `(batch, time)`: how much each sequence or token counts.

    Raises:
        ValueError: If `characters_per_token` is not positive.

    Example:

    >>> import keras_seq
    >>> metric = keras_seq.BitsPerCharacter()
    >>> round(float(metric(ops.array([[5, 2, 0]]), ops.zeros((1, 3, 8)))), 3)  # log2 8
    3.0
    """

    def __init__(
        self,
        characters_per_token: float = 1.0,
        ignore_id: int = 0,
        name: str = "bits_per_character",
        dtype: Any = None,
    ):
        super().__init__(ignore_id, name, dtype)
        if not characters_per_token > 0:
            raise ValueError(
                f"`characters_per_token` must be positive. Received: characters_per_token={characters_per_token}"
            )
        self.characters_per_token = characters_per_token

    def result(self) -> Tensor:
        """The bits per character so far."""
        return self.mean() / (math.log(2) * self.characters_per_token)

    def get_config(self) -> dict:
        """What `from_config` needs."""
        return {**super().get_config(), "characters_per_token": self.characters_per_token}
