"""What the metrics of token predictions take."""

from typing import Any

from keras import ops

from keras_seq.recurrent.cell import Tensor


def ids_and_scores(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    """Both as tensors.

    Args:
        y_true: Ids, `(batch, time)`.
        y_pred: Logits or probabilities, `(batch, time, vocabulary)`.

    Raises:
        ValueError: If they have other numbers of axes.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if len(y_true.shape) != 2 or len(y_pred.shape) != 3:
        raise ValueError(
            "`y_true` must be ids of shape (batch, time) and `y_pred` logits of shape (batch, time, vocabulary). "
            f"Received: y_true.shape={tuple(y_true.shape)}, y_pred.shape={tuple(y_pred.shape)}."
        )
    return y_true, y_pred
