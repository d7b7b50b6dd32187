"""The methods of attention layers, ours and those of Keras, while a graph with markers is traced."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend import get_keras_mask

import keras_seq
from keras_seq.attention.attention_bias import causal_bias
from keras_seq.attention.memory_attention import MASK_BIAS
from keras_seq.attention.multi_head_arguments import check_attention_mask, check_memory
from keras_seq.export.errors import NotNativeError
from keras_seq.export.lowering.attention import LoweredAttention
from keras_seq.export.lowering.attention_mask import combined
from keras_seq.export.lowering.attention_weights import attention_weights
from keras_seq.export.lowering.trace import Trace

__all__ = ["attention_methods"]

_LOWEST = float(np.finfo("float32").min)


def attention_methods(layer: keras.Layer, name: str, trace: Trace) -> dict[str, Callable]:
    """What the methods of an attention layer are to be, by name.

    Args:
        layer: A built layer, for which `is_attention` holds.
        name: Prefix of the weights' names in the graph.
        trace: Takes the markers.

    Returns:
        Nothing where what the layer computes is not known: it keeps its own.
    """
    try:
        weights = attention_weights(layer, name)
    except NotNativeError:
        return {}
    if isinstance(layer, keras_seq.MultiHeadAttention):
        return _own_methods(layer, LoweredAttention(layer, weights, trace, layer.rotary), trace)
    return {"call": _stock_call(layer, LoweredAttention(layer, weights, trace))}


def _own_methods(layer: keras_seq.MultiHeadAttention, lowered: LoweredAttention, trace: Trace) -> dict[str, Callable]:
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
        if value is None:
            query_mask = get_keras_mask(query) if query_mask is None else query_mask
            value, value_mask = query, query_mask if value_mask is None else value_mask
        check_attention_mask(layer, attention_mask, query, value)
        if value_mask is not None and key_mask is None and attention_mask is None:
            mask = trace.once("padding", lambda: combined([value_mask]), value_mask)  # one for all layers of a model
        else:
            mask = combined([value_mask, key_mask], attention_mask)
        outputs, scores = lowered.whole(
            query,
            value,
            value if key is None else key,
            mask,
            causal=use_causal_mask,
            hidden=MASK_BIAS,
            with_scores=return_attention_scores,
        )
        return (outputs, scores) if return_attention_scores else outputs

    def project_memory(value, key=None, positions=None):
        return lowered.project(value, key, positions)

    def attend(query, memory, bias=None, positions=None, causal=False, return_attention_scores=False, training=None):
        check_memory(layer, memory)
        if causal:
            future = causal_bias(tf.shape(query)[1], tf.shape(memory.keys)[2])
            bias = future if bias is None else bias + future
        outputs, scores = lowered.attend(query, memory, bias, positions, with_scores=return_attention_scores)
        return (outputs, scores) if return_attention_scores else outputs

    def step(inputs, past, bias=None, positions=None):
        check_memory(layer, past)
        return lowered.step(inputs, past, bias, positions)

    return {"call": call, "project_memory": project_memory, "attend": attend, "step": step}


def _stock_call(layer: keras.Layer, lowered: LoweredAttention) -> Callable:
    """Keras' own `call` up to the mask that it computes, with other arithmetic behind it."""
    original = type(layer).call
    dropout = layer.dropout  # also where nothing is dropped any more, it decides what Keras computes with

    def call(query, value, *further, **kwargs):
        if query.shape.rank != 3 or tuple(getattr(layer, "_attention_axes", (1,))) != (1,):
            return original(layer, query, value, *further, **kwargs)
        given = {}

        def keep(name: str) -> Callable:
            def project(inputs):
                given[name] = inputs
                return tf.expand_dims(inputs, 2)  # for nobody to look at, but of the rank that is expected

            return project

        def attend(
            query, key, value, attention_mask=None, training=None, return_attention_scores=None, use_causal_mask=False
        ):
            asked = layer._return_attention_scores if return_attention_scores is None else return_attention_scores
            return lowered.whole(
                given["query"],
                given["value"],
                given["key"],
                combined([], attention_mask),
                causal=use_causal_mask,
                hidden=_LOWEST,
                with_scores=asked,
                blank=bool(asked or dropout),  # which is how Keras' Softmax has it; its other way does not use that
            )

        stand_ins = {f"_{name}_dense": keep(name) for name in ("query", "key", "value")}
        stand_ins |= {"_output_dense": lambda outputs: outputs, "_compute_attention": attend}
        with _stand_ins(layer, stand_ins):
            return original(layer, query, value, *further, **kwargs)

    return call


@contextlib.contextmanager
def _stand_ins(layer: keras.Layer, values: dict[str, Callable]) -> Iterator[None]:
    """Attributes of a layer for a while, past Keras' book-keeping of sublayers."""
    own = vars(layer)
    before = {name: own[name] for name in values if name in own}
    own.update(values)
    try:
        yield
    finally:
        for name in values:
            del own[name]
        own.update(before)
