"""Which kernel trains each layer of a model and what it exports to, with the reasons."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import keras

import keras_seq
from keras_seq.export.errors import ExportError
from keras_seq.export.lowering.layer_note import layer_note, layer_notes
from keras_seq.export.lowering.normalization import is_normalization
from keras_seq.export.quantization.layer_choice import layer_choice
from keras_seq.export.quantize import QUANTIZATIONS
from keras_seq.serving.errors import listed

__all__ = ["Explanation", "LayerExplanation", "explain"]


@dataclass(frozen=True)
class LayerExplanation:
    """One row of the table.

    Attributes:
        name: The layer's name; parts of a wrapper or stack are listed under it as `wrapper/part`.
        layer_class: Its class.
        kernel: What training runs on this machine: `cudnn`, `fused` or `loop`, of attention `flash` or `plain`; for
            layers of Keras' own `keras`.
        kernel_reason: Why not a faster one.
        lowering: `native`, `loop`, `fused` or `plain`, or `traced` for what goes through the converter as it is.
        lowering_reason: The operators, or why there are none.
        quantized: What quantisation makes of its weights, and those of its parts: `int8` for products of integers,
            `int8 weights` or `fp16 weights` for what is only stored so, `float`; empty where it was not asked for, or
            there are no weights.
        quantized_reason: Why.
    """

    name: str
    layer_class: str
    kernel: str
    kernel_reason: str
    lowering: str
    lowering_reason: str
    quantized: str = ""
    quantized_reason: str = ""


@dataclass(frozen=True)
class Explanation:
    """What `explain` found, one row a layer; prints as a table.

    Attributes:
        model: The model's name.
        backend: The Keras backend that the kernels are those of.
        layers: The rows.
    """

    model: str
    backend: str
    layers: tuple[LayerExplanation, ...]

    def to_dict(self) -> dict:
        """The same for programs."""
        return asdict(self)

    def __str__(self) -> str:
        columns, rows = self.table()
        rows = [columns, *rows]
        widths = [max(len(row[column]) for row in rows) for column in range(len(columns) - 1)]
        lines = [f"{self.model} on the {self.backend} backend"]
        lines += ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]).rstrip() for row in rows]
        return "\n".join(lines)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Column heads and rows, the reasons last; a column of what is quantised where that was asked for."""
        quantized = any(row.quantized for row in self.layers)
        rows = []
        for row in self.layers:
            stages = [(row.kernel, row.kernel_reason), (row.lowering, row.lowering_reason)]
            stages.append((row.quantized, row.quantized_reason))
            reasons = "; ".join(f"{what}: {why}" for what, why in stages if why)
            rows.append([row.name, row.layer_class, row.kernel, row.lowering, *[row.quantized] * quantized, reasons])
        return ["layer", "class", "trains on", "exports to", *["quantised"] * quantized, "why"], rows


def explain(model: keras.Model, quantize: str | None = None) -> Explanation:
    """Says, layer by layer, which kernel training takes and why, and what the layer exports to and why.

    Args:
        model: A built model.
        quantize: `"int8"` or `"fp16"`: what `export_model(quantize=...)` makes of each layer's weights, too, as long
            as no metric sends it back to float32.

    Raises:
        ExportError: The model was never built, or `quantize` is something else.

    Example:
        >>> import keras, keras_seq
        >>> from keras_seq.export import explain
        >>> model = keras.Sequential([keras.Input((None, 7)), keras_seq.GRU(11, unroll=False, name="gru")])
        >>> explain(model).layers[-1].lowering
        'native'
    """
    if not model.built:
        raise ExportError(f"model {model.name!r} was never built; call it once, or give its first layer a keras.Input.")
    if quantize is not None and quantize not in QUANTIZATIONS:
        raise ExportError(f"`quantize` must be {listed(QUANTIZATIONS)} or None. Received: {quantize!r}.")
    bits = QUANTIZATIONS.get(quantize)
    rows = [row for layer in model.layers for row in _rows(layer, "", bits)]
    return Explanation(model.name, keras.backend.backend(), tuple(rows))


def _rows(layer: keras.Layer, prefix: str, bits: int | None) -> list[LayerExplanation]:
    quantized = ("", "") if bits is None else layer_choice(layer, bits)
    name, note = prefix + layer.name, layer_note(layer)
    if note is not None:
        kernel, reason = _kernel(layer)
        operators = ", ".join(f"{count} {op}" for op, count in note.operators.items())
        lowering_reason = f"{operators}, {note.reason}" if operators else note.reason
        return [
            LayerExplanation(name, type(layer).__name__, kernel, reason, note.lowering, lowering_reason, *quantized)
        ]
    parts, whole = _parts(layer)
    quantized = ("", "") if parts and whole else quantized  # its weights are those of the rows that follow
    rows = [LayerExplanation(name, type(layer).__name__, "keras", "", *_lowering(layer), *quantized)]
    return rows + [row for part in parts for row in _rows(part, f"{name}/", bits)]


def _parts(layer: keras.Layer) -> tuple[list[keras.Layer], bool]:
    """What is worth a row of a layer without a rule, and whether that is all of it.

    Of a model or wrapper it is everything, otherwise what has a rule.
    """
    inner = getattr(layer, "layers", None) or [part for part in [getattr(layer, "layer", None)] if part is not None]
    if inner:
        return inner, True
    return [part for part in layer._flatten_layers(include_self=False, recursive=False) if layer_notes(part)], False


def _lowering(layer: keras.Layer) -> tuple[str, str]:
    """What becomes of a layer that has no note."""
    if not is_normalization(layer):
        return "traced", ""
    if isinstance(layer, keras.layers.RMSNormalization):
        return "plain", "onnxruntime makes 1 SimplifiedLayerNormalization of it"
    return "native", "1 LayerNormalization"


def _kernel(layer: keras.Layer) -> tuple[str, str]:
    if hasattr(layer, "training_kernel"):
        masked = layer.supports_masking and _receives_mask(layer)
        choice = layer.training_kernel(masked=masked)
        return choice.name, choice.reason
    if isinstance(layer, keras_seq.AttentionDecoder):
        return "loop", "what a step reads depends on the step before"
    twin = type(layer).__name__
    if getattr(keras_seq, twin, None) is not None and not isinstance(layer, keras.layers.Bidirectional):
        return "keras", f"a layer of Keras' own; keras_seq.{twin} is its drop-in"
    return "keras", ""


def _receives_mask(layer: keras.Layer) -> bool:
    """Whether the tensors that the layer was called on, in a functional model, carry a mask."""
    tensors = [tensor for node in layer._inbound_nodes for tensor in node.input_tensors]
    return any(getattr(tensor, "_keras_mask", None) is not None for tensor in tensors)
