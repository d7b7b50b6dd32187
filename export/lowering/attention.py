"""Lowering of multi-head attention: of a whole sequence, to a memory, and step by step over a cache."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

import keras_seq
from keras_seq.attention.attention_bias import causal_bias
from keras_seq.attention.key_values import KeyValues
from keras_seq.export.lowering.attention_form import AttentionForm, memory_form, self_form
from keras_seq.export.lowering.attention_mask import as_bias, as_factor, as_mask_index, as_scores_rank
from keras_seq.export.lowering.attention_nodes import AttentionNodes
from keras_seq.export.lowering.attention_weights import AttentionWeights
from keras_seq.export.lowering.trace import Trace

__all__ = ["LoweredAttention"]


class LoweredAttention:
    """The arithmetic of one attention layer, for as long as a graph with markers is traced.

    Args:
        layer: The layer.
        weights: Of the layer.
        trace: Takes the markers.
        rotary: Turns queries and keys by their positions; None where nothing does.
    """

    def __init__(
        self,
        layer: keras.Layer,
        weights: AttentionWeights,
        trace: Trace,
        rotary: keras_seq.RotaryEmbedding | None = None,
    ) -> None:
        self._layer = layer
        self._weights = weights
        self._trace = trace
        self._nodes = AttentionNodes(weights, trace.markers)
        self._rotary = rotary

    def whole(
        self,
        query: tf.Tensor,
        value: tf.Tensor,
        key: tf.Tensor,
        mask: tf.Tensor | None,
        *,
        causal: bool,
        hidden: float,
        with_scores: bool,
        blank: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """All queries at once.

        Args:
            query: (batch, queries, features).
            value: (batch, steps, value features).
            key: (batch, steps, key features).
            mask: Booleans, true where a query may see a step, with the axes of the scores; None for none.
            causal: Whether query i sees the steps up to i alone.
            hidden: What hides a step from the fused operator; see `AttentionNodes.fused_self`.
            with_scores: Whether the scores are asked for.
            blank: Whether a query that sees nothing has scores of zero, rather than even ones.

        Returns:
            The outputs (batch, queries, output size), and the scores (batch, heads, queries, steps) or None.
        """
        factor = as_factor(mask) if blank else None
        if query is key and query is value:
            per_head = mask is not None and mask.shape[1] != 1
            form = self._form(self_form, with_scores=with_scores, per_head=per_head)
            if form.operator:
                index = None if mask is None else as_mask_index(mask, query)
                context = self._nodes.fused_self(query, index, causal, hidden)
                return self._nodes.output(context if factor is None else context * factor[:, 0]), None
            queries, *memory = self._nodes.heads(query, "query", "key", "value")
            if self._rotary is not None:
                angles = self._angles(query, None, mask)
                queries, memory[0] = self._rotary(queries, angles), self._rotary(memory[0], angles)
            bias = self._bias(mask, causal, query, key)
            return self._attend(queries, KeyValues(*memory), bias, factor, with_scores)
        memory, bias = self.project(value, key, None), self._bias(mask, causal, query, key)
        return self.attend(query, memory, bias, None, factor, with_scores)

    def project(self, value: tf.Tensor, key: tf.Tensor | None, positions: tf.Tensor | None) -> KeyValues:
        """Keys and values of a memory; the arguments are those of `keras_seq.MultiHeadAttention.project_memory`."""
        if key is None or key is value:
            keys, values = self._nodes.heads(value, "key", "value")
        else:
            (keys,), (values,) = self._nodes.heads(key, "key"), self._nodes.heads(value, "value")
        return KeyValues(keys if self._rotary is None else self._rotary(keys, positions), values)

    def attend(
        self,
        query: tf.Tensor,
        memory: KeyValues,
        bias: tf.Tensor | None,
        positions: tf.Tensor | None,
        factor: tf.Tensor | None = None,
        with_scores: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Queries (batch, queries, features) that look at a memory; returns what `whole` does.

        Args:
            query: Before its projection.
            memory: Keys and values.
            bias: Broadcasts to the scores; None for none.
            positions: Of the queries.
            factor: Of the scores; broadcasts to them.
            with_scores: Whether the scores are asked for.
        """
        bias = None if bias is None else as_scores_rank(bias)
        facts = {"with_scores": with_scores, "has_bias": bias is not None, "blank": factor is not None}
        if self._form(memory_form, **facts).operator:
            return self._nodes.output(self._nodes.fused_memory(query, *memory, bias)), None
        (queries,) = self._nodes.heads(query, "query")
        if self._rotary is not None:
            queries = self._rotary(queries, positions)
        return self._attend(queries, memory, bias, factor, with_scores)

    def step(
        self, inputs: tf.Tensor, past: KeyValues, bias: tf.Tensor | None, positions: tf.Tensor | None
    ) -> tuple[tf.Tensor, KeyValues]:
        """Further steps over a cache; arguments and returns are those of `keras_seq.MultiHeadAttention.step`."""
        bias = None if bias is None else as_scores_rank(bias)
        if self._form(memory_form, has_bias=bias is not None).operator:
            context, *cache = self._nodes.fused_step(inputs, *past, bias)
            return self._nodes.output(context), KeyValues(*cache)
        queries, *new = self._nodes.heads(inputs, "query", "key", "value")
        if self._rotary is not None:
            angles = self._angles(inputs, positions)
            queries, new[0] = self._rotary(queries, angles), self._rotary(new[0], angles)
        cache = KeyValues(*(tf.concat(pair, axis=2) for pair in zip(past, new, strict=True)))
        return self._attend(queries, cache, bias)[0], cache

    def _attend(
        self,
        queries: tf.Tensor,
        memory: KeyValues,
        bias: tf.Tensor | None,
        factor: tf.Tensor | None = None,
        with_scores: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        context, *scores = self._nodes.attend(queries, *memory, bias, factor, with_scores)
        return self._nodes.output(context), *(scores or [None])

    def _angles(
        self, inputs: tf.Tensor, positions: tf.Tensor | tuple | None, mask: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Cosines and sines for queries and keys alike; layers of one mask share those from 0 on."""
        if isinstance(positions, tuple):
            return positions
        size = self._weights.key_dim
        if positions is not None or not _is_padding(mask):
            return self._rotary.angles(tf.range(tf.shape(inputs)[1]) if positions is None else positions, size)
        key = f"angles, base={self._rotary.base}, size={size}"
        return self._trace.once(key, lambda: self._rotary.angles(tf.range(tf.shape(mask)[3]), size), mask)

    def _form(self, choose: Callable[..., AttentionForm], **facts: bool) -> AttentionForm:
        form = choose(self._weights, self._trace.markers.target, rotary=self._rotary is not None, **facts)
        self._trace.markers.forms.setdefault(id(self._layer), form)
        return form

    def _bias(self, mask: tf.Tensor | None, causal: bool, query: tf.Tensor, key: tf.Tensor) -> tf.Tensor | None:
        """What hides steps from plain operators; layers of one mask share it."""

        def make() -> tf.Tensor | None:
            bias = as_bias(mask)
            if not causal:
                return bias
            if query is key and _is_padding(mask):  # it is the same for all layers, the query is not
                steps = tf.shape(mask)[3]
                return bias + causal_bias(steps, steps)
            future = causal_bias(*(tf.shape(tensor)[1] for tensor in (query, key)))
            return future if bias is None else bias + future

        return make() if mask is None else self._trace.once(f"attention bias, causal={causal}", make, mask)


def _is_padding(mask: tf.Tensor | None) -> bool:
    """Whether a mask with the axes of the scores has as many steps as the sequence, and is the same for all queries."""
    return mask is not None and mask.shape[2] == 1 and mask.shape[3] != 1
