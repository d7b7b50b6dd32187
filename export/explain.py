"""Which kernel trains each layer of a model and what it exports to, with the reasons."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import keras

import keras_seq
from keras_seq.export.errors import ExportError
from keras_seq.export.lowering.layer_note import layer_note, layer_notes
from keras_seq.export.lowering.normalization import is_normalization

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
    """

    name: str
    layer_class: str
    kernel: str
    kernel_reason: str
    lowering: str
    lowering_reason: str


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
        rows = [("layer", "class", "trains on", "exports to", "why")]
        for row in self.layers:
            reasons = [f"{row.kernel}: {row.kernel_reason}"] if row.kernel_reason else []
            reasons += [f"{row.lowering}: {row.lowering_reason}"] if row.lowering_reason else []
            rows.append((row.name, row.layer_class, row.kernel, row.lowering, "; ".join(reasons)))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [f"{self.model} on the {self.backend} backend"]
        lines += ["  ".join([*map(str.ljust, row[:4], widths), row[4]]).rstrip() for row in rows]
        return "\n".join(lines)


def explain(model: keras.Model) -> Explanation:
    """Says, layer by layer, which kernel training takes and why, and what the layer exports to and why.

    Args:
        model: A built model.

    Raises:
        ExportError: The model was never built.

    Example:
        >>> import keras, keras_seq
        >>> from keras_seq.export import explain
        >>> model = keras.Sequential([keras.Input((None, 7)), keras_seq.GRU(11, unroll=False, name="gru")])
        >>> explain(model).layers[-1].lowering
        'native'
    """
    if not model.built:
        raise ExportError(f"model {model.name!r} was never built; call it once, or give its first layer a keras.Input.")
    rows = [row for layer in model.layers for row in _rows(layer, "")]
    return Explanation(model.name, keras.backend.backend(), tuple(rows))


def _rows(layer: keras.Layer, prefix: str) -> list[LayerExplanation]:
    name, note = prefix + layer.name, layer_note(layer)
    if note is not None:
        kernel, reason = _kernel(layer)
        operators = ", ".join(f"{count} {op}" for op, count in note.operators.items())
        lowering_reason = f"{operators}, {note.reason}" if operators else note.reason
        return [LayerExplanation(name, type(layer).__name__, kernel, reason, note.lowering, lowering_reason)]
    rows = [LayerExplanation(name, type(layer).__name__, "keras", "", *_lowering(layer))]
    return rows + [row for part in _parts(layer) for row in _rows(part, f"{name}/")]


def _parts(layer: keras.Layer) -> list[keras.Layer]:
    """What is worth a row of a layer without a rule: everything in a model or wrapper, otherwise what has a rule."""
    inner = getattr(layer, "layers", None) or [part for part in [getattr(layer, "layer", None)] if part is not None]
    return inner or [part for part in layer._flatten_layers(include_self=False, recursive=False) if layer_notes(part)]


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
