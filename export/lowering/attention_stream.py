"""Lowering of causal self-attention in a stream: the keys and values of all steps so far go from chunk to chunk."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend import get_keras_mask

from keras_seq.attention.attention_bias import causal_bias, mask_bias
from keras_seq.attention.key_values import KeyValues
from keras_seq.export.lowering.recurrent import overridden_method
from keras_seq.export.lowering.trace import Trace

__all__ = ["stock_stream_call", "stream_call"]


def stream_call(layer: keras.Layer, name: str, trace: Trace, otherwise: Callable) -> Callable:
    """A `call` for `keras_seq.MultiHeadAttention` over a chunk and all steps before it.

    The states are `<name>.keys` and `<name>.values`, which grow by the chunk's steps, and `<name>.bias` where a mask
    reaches the layer: what hides the masked steps for good. Layers that one and the same mask reaches share that of the
    first.

    Args:
        layer: A built layer.
        name: Prefix of the states' names.
        trace: Holds the states.
        otherwise: The call outside a stream.
    """

    def call(
        query,
        value=None,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        masks = {"query_mask": query_mask, "value_mask": value_mask, "key_mask": key_mask}
        options = {"return_attention_scores": return_attention_scores, "use_causal_mask": use_causal_mask}
        if not trace.streaming:
            return otherwise(query, value, key, **masks, attention_mask=attention_mask, **options, training=training)
        reason = _refusal(layer, query, value, key, attention_mask, **options)
        if reason:
            _refuse(trace, layer, name, reason)
            return otherwise(query, value, key, **masks, attention_mask=attention_mask, **options, training=training)

        shapes = {
            "keys": (layer.num_key_value_heads, "past", layer.key_dim),
            "values": (layer.num_key_value_heads, "past", layer.value_dim),
        }
        states = trace.take_states(name, shapes, tf.shape(query)[0])
        past = KeyValues(*states.values())
        count, steps = tf.shape(past.keys)[2], tf.shape(query)[1]
        bias = trace.once("causal_bias", lambda: causal_bias(steps, count + steps, count))
        mask = _mask_of(query, value, **masks)
        if mask is not None:
            bias = bias + trace.once("hidden", lambda: _hidden_steps(name, trace, mask), mask)
        positions = None if layer.rotary is None else trace.once("positions", lambda: count + tf.range(steps))
        outputs, cache = layer.step(query, past, bias, positions)
        trace.next_states.update(zip(states, cache, strict=True))
        return outputs

    return call


def stock_stream_call(layer: keras.layers.MultiHeadAttention, name: str, trace: Trace, otherwise: Callable) -> Callable:
    """A `call` for Keras' own layer over a chunk and all steps before it, where no mask reaches it.

    Args:
        layer: A built layer.
        name: Prefix of the states' names, `<name>.keys` and `<name>.values`.
        trace: Holds the states.
        otherwise: The call outside a stream.
    """

    def call(query, value, key=None, training=None, **arguments):
        reason = None
        if trace.streaming:
            reason = _stock_refusal(layer, query, value, key, **arguments)
            if reason:
                _refuse(trace, layer, name, reason)
        if reason or not trace.streaming:
            return otherwise(query, value, key, training=training, **arguments)
        new = {"keys": layer._key_dense(query), "values": layer._value_dense(query)}
        shapes = {short: ("past", *tensor.shape[2:]) for short, tensor in new.items()}
        states = trace.take_states(name, shapes, tf.shape(query)[0])
        keys, values = (tf.concat(pair, axis=1) for pair in zip(states.values(), new.values(), strict=True))
        steps, total = tf.shape(query)[1], tf.shape(keys)[1]
        visible = trace.once("visible", lambda: causal_bias(steps, total, total - steps)[0] == 0)
        context, _ = layer._compute_attention(layer._query_dense(query), keys, values, visible, training=False)
        trace.next_states.update(zip(states, (keys, values), strict=True))
        return layer._output_dense(context)

    return call


def _mask_of(query, value, query_mask, value_mask, key_mask) -> tf.Tensor | None:
    """The mask of the steps, as `keras_seq.MultiHeadAttention.call` finds it."""
    if value is None and value_mask is None:
        value_mask = get_keras_mask(query) if query_mask is None else query_mask
    given = [mask for mask in (value_mask, key_mask) if mask is not None]
    return functools.reduce(tf.logical_and, given) if given else None


def _hidden_steps(name: str, trace: Trace, mask: tf.Tensor) -> tf.Tensor:
    """The bias of all masked steps so far, (batch, 1, 1, past + steps)."""
    new = mask_bias(mask)
    ((state, before),) = trace.take_states(name, {"bias": ("past",)}, tf.shape(new)[0]).items()
    trace.next_states[state] = tf.concat([before, new], axis=1)
    return trace.next_states[state][:, None, None, :]


def _refuse(trace: Trace, layer: keras.Layer, name: str, reason: str) -> None:
    trace.refusals.append(f"layer {name!r} ({type(layer).__name__}): {reason}")


def _refusal(
    layer: keras.Layer,
    query: tf.Tensor,
    value: tf.Tensor | None,
    key: tf.Tensor | None,
    attention_mask: Any = None,
    return_attention_scores: bool = False,
    use_causal_mask: bool = False,
) -> str | None:
    """Why this call cannot be made chunk by chunk, or None."""
    method = overridden_method(layer)
    if method:
        return f"{method} is its own, so what it computes is unknown"
    if any(other is not None and other is not query for other in (value, key)):
        return "it attends to another sequence, which it needs whole"
    if not use_causal_mask:
        return "it attends to steps ahead; call it with use_causal_mask=True"
    if attention_mask is not None:
        return "its attention_mask is made for whole sequences"
    if return_attention_scores:
        return "it returns its attention scores, which are those of the whole sequence"
    return None


def _stock_refusal(
    layer: keras.layers.MultiHeadAttention,
    query: tf.Tensor,
    value: tf.Tensor,
    key: tf.Tensor | None,
    query_mask: Any = None,
    value_mask: Any = None,
    key_mask: Any = None,
    **options: Any,
) -> str | None:
    reason = _refusal(layer, query, value, key, **options)
    if reason:
        return reason
    if layer._use_gate or layer._sliding_window is not None or len(query.shape) != 3:
        return "its past is carried without gate, sliding window and further axes only"
    if any(mask is not None for mask in (query_mask, value_mask, key_mask, get_keras_mask(query))):
        return (
            "at the steps that its mask leaves out it attends to the whole sequence, steps ahead included; "
            "keras_seq.MultiHeadAttention does not"
        )
    return None
