"""Swaps the calls of a model's layers for their lowering rules, for the time of one tracing."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator

import keras

import keras_seq
from keras_seq.export.errors import NotNativeError
from keras_seq.export.lowering.attention_methods import attention_methods
from keras_seq.export.lowering.attention_stream import stock_stream_call, stream_call
from keras_seq.export.lowering.attention_weights import is_attention
from keras_seq.export.lowering.bidirectional import bidirectional_call, paired_cells
from keras_seq.export.lowering.dense import dense_call, is_plain_dense
from keras_seq.export.lowering.layer_names import layer_names
from keras_seq.export.lowering.normalization import is_normalization, normalization_call
from keras_seq.export.lowering.positions import positions_call
from keras_seq.export.lowering.recurrent import (
    native_call,
    native_cells,
    overridden_method,
    portable_call,
    takes_states,
)
from keras_seq.export.lowering.time_distributed import time_distributed_call
from keras_seq.export.lowering.trace import Trace

__all__ = ["portable_model", "swapped_calls"]

_STREAM_RULES = {
    keras_seq.MultiHeadAttention: stream_call,
    keras.layers.MultiHeadAttention: stock_stream_call,
    keras_seq.SinusoidalPositionalEncoding: positions_call,
    keras_seq.LearnedPositionalEncoding: positions_call,
}


@contextlib.contextmanager
def swapped_calls(model: keras.Model, trace: Trace) -> Iterator[None]:
    """Within: every layer of `model` that has a lowering rule follows it when called.

    Args:
        model: A built model; it is left as it was found.
        trace: Collects markers and states.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(portable_model(model))
        layers = _layers(model)
        names = layer_names(layers)
        for layer in layers:
            for method, lowered in _lowered_methods(layer, names.get(id(layer), layer.name), trace).items():
                stack.enter_context(_own_method(layer, method, lowered))
        yield


@contextlib.contextmanager
def portable_model(model: keras.Model) -> Iterator[None]:
    """Within: `model` computes what an export is to compute, on any device.

    That is: in float32, whatever the policy it was trained under; without kernels that belong to a device; every
    recurrent layer starting from zero and keeping no state between calls.

    Args:
        model: A built model; it is left as it was found.
    """
    float32 = keras.dtype_policies.DTypePolicy("float32")
    with contextlib.ExitStack() as stack:
        stack.enter_context(keras_seq.recurrent.portable_kernels())
        for layer in _layers(model):
            if layer.compute_dtype != "float32":
                stack.enter_context(_attribute(layer, "dtype_policy", float32))
            if hasattr(layer, "use_cudnn"):
                stack.enter_context(_attribute(layer, "use_cudnn", False))
            if isinstance(layer, keras.layers.RNN) and layer.stateful:
                stack.enter_context(_attribute(layer, "stateful", False))
        yield


def _layers(model: keras.Model) -> list[keras.Layer]:
    return list(model._flatten_layers(include_self=True, recursive=True))


def _lowered_methods(layer: keras.Layer, name: str, trace: Trace) -> dict[str, Callable]:
    """The rules that `layer` follows, by the method that each stands in for; without one it keeps its own."""
    methods = {}
    if trace.markers is not None and is_attention(layer):
        methods = attention_methods(layer, name, trace)
    elif call := _whole_call(layer, name, trace):
        methods = {"call": call}
    for kind, rule in _STREAM_RULES.items():
        if trace.streaming and isinstance(layer, kind):
            otherwise = methods.get("call") or functools.partial(type(layer).call, layer)
            return {**methods, "call": rule(layer, name, trace, otherwise)}
    return methods


def _whole_call(layer: keras.Layer, name: str, trace: Trace) -> Callable | None:
    """Its rule for whole sequences; that of recurrent layers carries their states too."""
    if isinstance(layer, keras.layers.TimeDistributed):
        return None if overridden_method(layer) else time_distributed_call(layer, trace)
    if trace.markers is not None and is_plain_dense(layer):
        return dense_call(layer, trace)
    if trace.markers is not None and is_normalization(layer):
        return normalization_call(layer, name, trace)
    if isinstance(layer, keras.layers.Bidirectional):
        pair = paired_cells(layer) if trace.markers is not None else None
        return bidirectional_call(layer, trace, pair) if pair else None
    if isinstance(layer, keras.layers.RNN):
        if trace.markers is not None:
            with contextlib.suppress(NotNativeError):
                return native_call(layer, name, native_cells(layer, name), trace)
        return portable_call(layer, name, trace) if takes_states(layer) else None
    return None


@contextlib.contextmanager
def _own_method(layer: keras.Layer, name: str, method: Callable) -> Iterator[None]:
    """Gives one layer a method of its own for a while; its class keeps the one it has."""
    setattr(layer, name, method)
    try:
        yield
    finally:
        delattr(layer, name)


@contextlib.contextmanager
def _attribute(layer: keras.Layer, name: str, value) -> Iterator[None]:
    """Sets an attribute of a layer for a while."""
    before = getattr(layer, name)
    setattr(layer, name, value)
    try:
        yield
    finally:
        setattr(layer, name, before)
