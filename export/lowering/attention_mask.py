"""Masks of attention as ONNX nodes take them."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import tensorflow as tf

from keras_seq.attention.attention_bias import mask_bias

__all__ = ["as_bias", "as_factor", "as_mask_index", "as_scores_rank", "combined"]


def as_scores_rank(tensor: tf.Tensor) -> tf.Tensor:
    """A mask or bias with the four axes of the scores, (batch, heads, queries, steps), 1 for those that it lacks.

    Args:
        tensor: (queries, steps), (batch, queries, steps) or (batch, heads, queries, steps).
    """
    if tensor.shape.rank == 4:
        return tensor
    return tf.expand_dims(tensor if tensor.shape.rank == 3 else tf.expand_dims(tensor, 0), 1)


def combined(padding: Sequence[tf.Tensor | None], attention_mask: tf.Tensor | None = None) -> tf.Tensor | None:
    """All masks of a call as one, with the axes of the scores; None where there are none.

    Args:
        padding: Masks (batch, steps).
        attention_mask: Of any rank that `as_scores_rank` takes.
    """
    masks = [mask[:, None, None, :] for mask in padding if mask is not None]
    masks += [] if attention_mask is None else [as_scores_rank(attention_mask)]
    return functools.reduce(tf.logical_and, [tf.cast(mask, tf.bool) for mask in masks]) if masks else None


def as_bias(mask: tf.Tensor | None) -> tf.Tensor | None:
    """0 where a mask is true, -1e30 elsewhere; None for no mask."""
    return None if mask is None else mask_bias(mask)


def as_factor(mask: tf.Tensor | None) -> tf.Tensor | None:
    """1 for a query that sees any step, 0 for one that sees none, with the axes of the scores; None for no mask."""
    return None if mask is None else tf.cast(tf.reduce_any(mask, axis=-1, keepdims=True), tf.float32)


def as_mask_index(mask: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
    """A mask as `com.microsoft.Attention` takes it: int32, (batch, steps) or (batch, steps, steps).

    Args:
        mask: Booleans with the axes of the scores, the same for all heads.
        inputs: (batch, steps, features).
    """
    mask = tf.cast(tf.squeeze(mask, 1), tf.int32)
    batch, steps = tf.shape(inputs)[0], tf.shape(inputs)[1]
    if mask.shape[1] == 1:  # the same steps for all queries
        mask = tf.squeeze(mask, 1)
    if 1 in (mask.shape[0], mask.shape[-1]):
        mask = tf.broadcast_to(mask, [batch, steps] if mask.shape.rank == 2 else [batch, steps, steps])
    return mask
