"""What the skip-gram model minimises: three losses over the pairs of a batch."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_seq.recurrent.cell import Tensor


class Band(NamedTuple):
    """Which words of each piece are pairs.

    Attributes:
        pairs: float32 `(pieces, chunk, span)`; 1 where centre and context are a pair.
        of_centre: float32 `(pieces, chunk)`; how many pairs a centre stands in.
        of_context: float32 `(pieces, span)`; how many pairs a context stands in.
    """

    pairs: Tensor
    of_centre: Tensor
    of_context: Tensor


def band(before: Tensor, after: Tensor, span: int) -> Band:
    """The pairs of windows.

    Args:
        before: `(pieces, chunk)`, as in `Windows`.
        after: the same.
        span: how many contexts a piece has.
    """
    chunk = before.shape[1]
    window = (span - chunk) // 2
    # Rows of a table are found faster than made: all reaches at all columns, (window + 1, window + 1, chunk, span).
    away = np.arange(span) - np.arange(chunk)[:, None] - window
    reaches = np.arange(window + 1)[:, None, None]
    left, right = (away >= -reaches) & (away < 0), (away <= reaches) & (away > 0)
    table = (left[:, None] | right[None]).astype("float32").reshape(-1, span)
    rows = (before * (window + 1) + after) * chunk + ops.arange(chunk, dtype="int32")
    pairs = ops.take(ops.convert_to_tensor(table), rows, axis=0)
    return Band(pairs, ops.cast(before + after, "float32"), ops.sum(pairs, axis=1))


def damping(table: Tensor, ids: Tensor, terms: Tensor, limit: float) -> Tensor:
    """By what to multiply gradients, so that they stay in bounds however often a row is taken.

    The gradients of a batch are summed, and each was computed with the same vectors: a row that stands in hundreds of
    pairs would take hundreds of steps at once, and overshoot. A row that stands in more than `limit` terms of the loss
    is moved as by `limit` of them.

    Args:
        table: `(rows, features)`.
        ids: int32 `(...)`.
        terms: float32, the shape of `ids`; in how many terms of the loss each row stands.
        limit: how many may count; infinity for any number.

    Returns:
        The shape of `ids`, each more than 0 and at most 1.
    """
    if limit == math.inf:
        return ops.ones_like(terms)
    totals = count_terms(ids, terms, table.shape[0])
    return ops.take(limit / ops.maximum(totals, limit), ids, axis=0)


def count_terms(ids: Tensor, terms: Tensor, size: int) -> Tensor:
    """The sum of the terms of each id, float32 `(size,)`; `ops.bincount` cannot be compiled under JAX."""
    return ops.segment_sum(ops.reshape(terms, (-1,)), ops.reshape(ids, (-1,)), num_segments=size)


def take_rows(table: Tensor, ids: Tensor) -> Tensor:
    """Rows of a table of weights, `(..., features)`, for ids `(...)`."""
    value = getattr(table, "value", table)
    if hasattr(value, "sparse_read"):
        # A variable of TensorFlow that was once updated by rows is copied whole whenever it is read whole, which
        # `ops.take` would do.
        return value.sparse_read(ids)
    return ops.take(value, ids, axis=0)


def scale_gradient(x: Tensor, factor: Tensor) -> Tensor:
    """The tensor itself, `(..., features)`, whose gradient is multiplied by the factors `(...)`."""

    @ops.custom_gradient
    def identity(x: Tensor) -> tuple[Tensor, Any]:
        def gradient(*args: Tensor, upstream: Tensor | None = None) -> Tensor:
            return (args[0] if upstream is None else upstream) * ops.expand_dims(factor, -1)

        return ops.copy(x), gradient

    return identity(x)


def negative_sampling_loss(
    centres: Tensor,
    rows: Tensor,
    pairs: Tensor,
    of_centre: Tensor,
    negatives: int,
    centre_damping: Tensor,
    row_damping: Tensor,
) -> Tensor:
    """Equation 4 of Mikolov et al. 2013b, summed over the pairs.

        loss = -log σ(u_context ∙ v_centre) - negatives E_noise[log σ(-u_noise ∙ v_centre)]

    The expectation is the mean over the piece's noise words instead of over words drawn for each pair: its value is the
    same on average, and its scores are one matrix product, together with those of the contexts.

    The gradient is written out. With the label y of a score, 1 for a context and 0 for noise, it is

        ∂loss / ∂v = Σ (σ(u ∙ v) - y) u,    ∂loss / ∂u = Σ (σ(u ∙ v) - y) v

    and the factors of `damping` are cheaper on the scores, before the products, than on the vectors behind them.

    Args:
        centres: v, `(pieces, chunk, features)`.
        rows: u of the contexts and of the noise words behind them, `(pieces, span + noise, features)`.
        pairs: as in `Band`.
        of_centre: as in `Band`.
        negatives: how many noise words a pair is worth.
        centre_damping: what to multiply the gradients of the centres by, `(pieces, chunk)`.
        row_damping: the same of the rows, `(pieces, span + noise)`.

    Returns:
        `(pieces,)`.
    """
    span, noise = pairs.shape[2], rows.shape[1] - pairs.shape[2]
    shares = ops.expand_dims(of_centre * (negatives / noise), 2)
    weights = ops.concatenate([pairs, ops.repeat(shares, noise, axis=2)], axis=2)
    labels = np.arange(span + noise) < span
    offset, sign = (~labels).astype("float32"), np.where(labels, 1, -1).astype("float32")

    @ops.custom_gradient
    def loss(centres: Tensor, rows: Tensor) -> tuple[Tensor, Any]:
        probabilities = ops.sigmoid(ops.einsum("pcf,psf->pcs", centres, rows))
        right = offset + sign * probabilities
        value = -ops.sum(weights * ops.log(ops.maximum(right, 1e-30)), axis=(1, 2))

        def gradient(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, Tensor]:
            upstream = args[0] if upstream is None else upstream
            errors = weights * (probabilities - labels.astype("float32")) * ops.reshape(upstream, (-1, 1, 1))
            return (
                ops.einsum("pcs,psf->pcf", errors * ops.expand_dims(centre_damping, 2), rows),
                ops.einsum("pcs,pcf->psf", errors * ops.expand_dims(row_damping, 1), centres),
            )

        return value, gradient

    return loss(centres, rows)


def full_softmax_loss(centres: Tensor, contexts: Tensor, table: Tensor, pairs: Tensor, of_centre: Tensor) -> Tensor:
    """Equation 2 of Mikolov et al. 2013b, summed over the pairs: -log softmax(U v_centre)[context].

    Args:
        centres: v, `(pieces, chunk, features)`.
        contexts: u of the contexts, `(pieces, span, features)`.
        table: u of all words, `(words, features)`.
        pairs: as in `Band`.
        of_centre: as in `Band`.

    Returns:
        `(pieces,)`.
    """
    scores = ops.einsum("pcf,psf->pcs", centres, contexts)
    chunk, features = centres.shape[1:]
    logits = ops.matmul(ops.reshape(centres, (-1, features)), ops.transpose(table))
    normalisers = ops.reshape(ops.logsumexp(logits, axis=1), (-1, chunk))
    return ops.sum(of_centre * normalisers, axis=1) - ops.sum(pairs * scores, axis=(1, 2))


def hierarchical_softmax_loss(centres: Tensor, nodes: Tensor, signs: Tensor, pairs: Tensor) -> Tensor:
    """Equation 3 of Mikolov et al. 2013b, summed over the pairs: the decisions on the way to the context's leaf.

    Args:
        centres: v, `(pieces, chunk, features)`.
        nodes: vectors of the nodes above each context, `(pieces, span, depth, features)`.
        signs: `(pieces, span, depth)`, as in `HuffmanTree`; 0 behind the end of a path.
        pairs: as in `Band`.

    Returns:
        `(pieces,)`.
    """
    span, depth, features = nodes.shape[1:]
    scores = ops.einsum("pcf,psf->pcs", centres, ops.reshape(nodes, (-1, span * depth, features)))
    scores = ops.reshape(scores, (-1, centres.shape[1], span, depth))
    signs = ops.expand_dims(signs, 1)
    decisions = ops.sum(ops.where(signs != 0, ops.softplus(-signs * scores), 0.0), axis=3)
    return ops.sum(pairs * decisions, axis=(1, 2))
