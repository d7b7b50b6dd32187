"""Scaled dot-product attention of many heads: the arithmetic."""

from collections.abc import Callable

from keras import ops

from keras_seq.attention.known import axis_size
from keras_seq.recurrent.cell import Tensor


def scaled_dot_product(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    bias: Tensor | None = None,
    dropout: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, equation 1).

        scores = softmax(Q K^T / sqrt(key_dim) + bias)
        context = scores V

    With fewer heads of keys than of queries, each serves a group of neighbouring query heads (grouped-query attention,
    Ainslie et al. 2023, https://arxiv.org/abs/2305.13245; one head for all is multi-query attention, Shazeer 2019,
    https://arxiv.org/abs/1911.02150). The softmax is taken in float32 at least.

    Args:
        query: Q, `(batch, heads, queries, key_dim)`.
        keys: K, `(batch, key_heads, steps, key_dim)`; `heads` is a multiple of `key_heads`.
        values: V, `(batch, key_heads, steps, value_dim)`.
        bias: added before the softmax; broadcastable to `(batch, heads, queries, steps)`.
        dropout: applied to the scores that weight the values.

    Returns:
        The context `(batch, heads, queries, value_dim)` and the scores `(batch, heads, queries, steps)`.

    Example:
    >>> from keras import ops
    >>> from keras_seq.attention.scaled_dot_product import scaled_dot_product
    >>> query, keys, values = ops.ones((1, 6, 2, 5)), ops.ones((1, 3, 7, 5)), ops.ones((1, 3, 7, 4))
    >>> context, scores = scaled_dot_product(query, keys, values)
    >>> tuple(context.shape), tuple(scores.shape)
    ((1, 6, 2, 4), (1, 6, 2, 7))
    """
    heads, key_heads = query.shape[1], keys.shape[1]
    queries, steps = axis_size(query, 2), axis_size(keys, 2)
    if heads != key_heads:  # the heads of a group as further queries of the one head they share
        query = ops.reshape(query, (-1, key_heads, heads // key_heads * queries, query.shape[3]))
    # The scores are scaled and not the query: TensorFlow 2.21 under oneDNN makes one operation of scaled query, product
    # and bias, which gives empty tensors in a `while_loop` whose keys grow.
    scores = ops.matmul(query, ops.transpose(keys, (0, 1, 3, 2))) * query.shape[3] ** -0.5
    if heads != key_heads:
        scores = ops.reshape(scores, (-1, heads, queries, steps))
    scores = scores if scores.dtype == "float64" else ops.cast(scores, "float32")
    scores = scores if bias is None else scores + ops.cast(bias, scores.dtype)
    # Of a single step, as at the start of decoding, the softmax is 1, and Keras warns of taking it.
    scores = ops.exp(scores - scores) if scores.shape[3] == 1 else ops.softmax(scores, axis=-1)
    scores = ops.cast(scores, values.dtype)  # (batch, heads, queries, steps)
    weights = scores if dropout is None else dropout(scores)
    if heads != key_heads:
        weights = ops.reshape(weights, (-1, key_heads, heads // key_heads * queries, steps))
    context = ops.matmul(weights, values)
    if heads != key_heads:
        context = ops.reshape(context, (-1, heads, queries, values.shape[3]))
    return context, scores
