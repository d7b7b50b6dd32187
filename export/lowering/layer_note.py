"""How one recurrent layer leaves the pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import keras

import keras_seq
from keras_seq.export.errors import NotNativeError
from keras_seq.export.lowering.bidirectional import paired_cells
from keras_seq.export.lowering.recurrent import native_cells

__all__ = ["LayerNote", "layer_notes"]


@dataclass(frozen=True)
class LayerNote:
    """How one recurrent layer leaves the pipeline.

    Attributes:
        name: The layer's name.
        layer_class: Its class's name.
        lowering: `"native"` for an ONNX recurrent operator, `"loop"` for what the tracing makes of it, `"decode_loop"`
            for a decoder, which no operator could be: what it attends to at a step depends on the step before.
        operators: Op type to number of nodes; empty for a loop.
        reason: Why so, in one line.
    """

    name: str
    layer_class: str
    lowering: str
    operators: dict[str, int]
    reason: str

    def to_dict(self) -> dict:
        """As the manifest holds it."""
        return {
            "name": self.name,
            "class": self.layer_class,
            "lowering": self.lowering,
            "operators": self.operators,
            "reason": self.reason,
        }


def layer_notes(model: keras.Layer) -> list[LayerNote]:
    """How each recurrent layer of a model is lowered; the parts of a wrapper or stack stand in its own note.

    Args:
        model: A built model, or a layer.
    """
    notes, parts = [], set()
    for layer in model._flatten_layers(include_self=True, recursive=True):
        if id(layer) not in parts and (note := layer_note(layer)):
            notes.append(note)
            parts.update(id(part) for part in layer._flatten_layers(include_self=False))
    return notes


def layer_note(layer: keras.Layer) -> LayerNote | None:
    """The note of one layer, or None if it is not recurrent."""
    if isinstance(layer, keras.layers.Bidirectional):
        pair = paired_cells(layer)
        if pair:
            operators, reason = {pair[0].operator: 1}, "both directions in one node"
            return LayerNote(layer.name, type(layer).__name__, "native", operators, reason)
        parts = [layer.forward_layer, layer.backward_layer]
        return _combined(layer, parts, "the two directions differ: a node each")
    if isinstance(layer, keras_seq.AttentionDecoder):
        reason = "what a step reads depends on the step before; the loop's weights are constants"
        return LayerNote(layer.name, type(layer).__name__, "decode_loop", {}, reason)
    if isinstance(layer, keras_seq.StackedRNN):
        return _combined(layer, layer.layers, "one node a layer")
    if not isinstance(layer, keras.layers.RNN):
        return None
    try:
        operators = Counter(cell.operator for cell in native_cells(layer, layer.name))
    except NotNativeError as refusal:
        return LayerNote(layer.name, type(layer).__name__, "loop", {}, str(refusal))
    reason = "one node" if operators.total() == 1 else "one node a cell"
    return LayerNote(layer.name, type(layer).__name__, "native", dict(operators), reason)


def _combined(layer: keras.Layer, parts: Sequence[keras.Layer], reason: str) -> LayerNote:
    notes = [note for part in parts for note in layer_notes(part)]
    loops = [note for note in notes if note.lowering == "loop"]
    if loops:
        return LayerNote(layer.name, type(layer).__name__, "loop", {}, f"of {loops[0].name!r}: {loops[0].reason}")
    operators = sum((Counter(note.operators) for note in notes), Counter())
    return LayerNote(layer.name, type(layer).__name__, "native", dict(operators), reason)
