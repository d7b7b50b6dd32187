"""Which layers may stand in a model that runs in chunks."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from keras_seq.export.errors import StreamingError
from keras_seq.export.lowering.time_distributed import inside_time_distributed
from keras_seq.export.signature import Signature

__all__ = ["check_streamable", "streaming_refusal"]

_LAYERS = keras.layers
_ACROSS_TIME = {
    "it mixes the steps around each one, and its past is not carried": (
        _LAYERS.Conv1D,
        _LAYERS.SeparableConv1D,
        _LAYERS.DepthwiseConv1D,
        _LAYERS.Conv1DTranspose,
        _LAYERS.MaxPooling1D,
        _LAYERS.AveragePooling1D,
        _LAYERS.ZeroPadding1D,
        _LAYERS.UpSampling1D,
        _LAYERS.Cropping1D,
    ),
    "it needs the whole sequence at once": (
        _LAYERS.GlobalAveragePooling1D,
        _LAYERS.GlobalMaxPooling1D,
        _LAYERS.Attention,
        _LAYERS.AdditiveAttention,
        _LAYERS.GroupQueryAttention,
        _LAYERS.Flatten,
        _LAYERS.RepeatVector,
        _LAYERS.Permute,
    ),
    "it reads the sequence from its end as well": (_LAYERS.Bidirectional,),
    "its state is an image, which the stream does not carry": (
        _LAYERS.ConvLSTM1D,
        _LAYERS.ConvLSTM2D,
        _LAYERS.ConvLSTM3D,
    ),
}


def check_streamable(model: keras.Model, signature: Signature) -> None:
    """Refuses models that cannot run in chunks, naming the layers.

    Layers unknown to it pass: what they compute is tried on random cuts when the export is verified.

    Args:
        model: The model.
        signature: Of the model.

    Raises:
        StreamingError: With every reason found.
    """
    inside = inside_time_distributed(model)
    reasons = [
        f"layer {layer.name!r} ({type(layer).__name__}): {reason}"
        for layer in model._flatten_layers()
        if id(layer) not in inside and (reason := _reason(layer))
    ]
    if not any("time" in spec.shape for spec in signature.inputs):
        shapes = ", ".join(f"{spec.name}: {spec}" for spec in signature.inputs)
        reasons.append(f"no input has a dynamic time axis ({shapes}); make it None in keras.Input")
    if reasons:
        raise StreamingError(streaming_refusal(model, reasons))


def streaming_refusal(model: keras.Model, reasons: Sequence[str]) -> str:
    """The message for a model that cannot stream, from one reason a layer."""
    listed = "\n".join(f"  {reason}" for reason in dict.fromkeys(reasons))
    return f"model {model.name!r} cannot stream:\n{listed}\nExport it with streaming=False."


def _reason(layer: keras.Layer) -> str | None:
    for reason, classes in _ACROSS_TIME.items():
        if isinstance(layer, classes):
            return reason
    if getattr(layer, "go_backwards", False):
        return "go_backwards=True reads the sequence from its end"
    axis = getattr(layer, "axis", None)
    axes = axis if isinstance(axis, list | tuple) else [axis]
    if 1 in axes and not isinstance(layer, keras.layers.BatchNormalization) and layer.built and _rank(layer) != 2:
        return "its axis=1 is the time axis"
    return None


def _rank(layer: keras.Layer) -> int | None:
    """Rank of the layer's output where Keras knows it."""
    try:
        return len(layer.output.shape)
    except (AttributeError, ValueError):  # called several times, or not within a functional model
        return None
