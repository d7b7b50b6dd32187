"""How one layer that runs along time leaves the pipeline: recurrent ones, and those that attend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import keras

import keras_seq
from keras_seq.export.errors import NotNativeError
from keras_seq.export.lowering.attention_form import AttentionForm, self_form
from keras_seq.export.lowering.attention_weights import attention_weights, is_attention
from keras_seq.export.lowering.bidirectional import paired_cells
from keras_seq.export.lowering.layer_names import layer_names
from keras_seq.export.lowering.recurrent import native_cells
from keras_seq.export.lowering.target import Target

__all__ = ["ATTENTION", "LayerNote", "layer_note", "layer_notes"]

ATTENTION = ("fused", "plain", "traced")
"""The lowerings of layers that attend."""


@dataclass(frozen=True)
class LayerNote:
    """How one recurrent or attention layer leaves the pipeline.

    Attributes:
        name: The layer's name.
        layer_class: Its class's name.
        lowering: `"native"` for an ONNX recurrent operator, `"loop"` for what the tracing makes of it, `"decode_loop"`
            for a decoder, which no operator could be: what it attends to at a step depends on the step before. Of
            attention `"fused"` for an operator of ONNX Runtime's own, `"plain"` for standard ones, and `"traced"` for
            what the converter makes of a layer that is not known.
        operators: Op type to number of nodes; empty for a loop and for plain operators.
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


def layer_notes(
    model: keras.Layer, target: Target | None = None, forms: Mapping[int, AttentionForm] | None = None
) -> list[LayerNote]:
    """How each recurrent or attention layer of a model is lowered; parts of a wrapper or stack stand in its own note.

    Args:
        model: A built model, or a layer.
        target: What the graphs are written for.
        forms: What attention layers became in a graph, as `Markers` has it; without one it is what they will become
            where they attend to themselves.
    """
    names = layer_names(list(model._flatten_layers(include_self=True, recursive=True)))
    seen: set[int] = set()

    def visit(layer: keras.Layer) -> list[LayerNote]:
        if id(layer) in seen:
            return []
        seen.add(id(layer))
        note = layer_note(layer, target, forms)
        if note is None:
            return [n for part in layer._flatten_layers(include_self=False, recursive=False) for n in visit(part)]
        seen.update(id(part) for part in layer._flatten_layers(include_self=False))
        return [replace(note, name=names.get(id(layer), note.name))]

    return visit(model)


def layer_note(
    layer: keras.Layer, target: Target | None = None, forms: Mapping[int, AttentionForm] | None = None
) -> LayerNote | None:
    """The note of one layer, or None if it is neither recurrent nor attends; for the arguments see `layer_notes`."""
    if is_attention(layer) and layer.built:
        return _attention_note(layer, target or Target(), (forms or {}).get(id(layer)))
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


def _attention_note(layer: keras.Layer, target: Target, form: AttentionForm | None) -> LayerNote:
    name, layer_class = layer.name, type(layer).__name__
    try:
        weights = attention_weights(layer)
    except NotNativeError as refusal:
        return LayerNote(name, layer_class, "traced", {}, str(refusal))
    where = "" if form else ", where it attends to itself"
    form = form or self_form(weights, target, rotary=getattr(layer, "rotary", None) is not None)
    if not form.operator:
        return LayerNote(name, layer_class, "plain", {}, form.reason)
    what = "projections and attention" if form.operator == "Attention" else "attention"
    return LayerNote(name, layer_class, "fused", {form.operator: 1}, f"{what} in one node{where}")


def _combined(layer: keras.Layer, parts: Sequence[keras.Layer], reason: str) -> LayerNote:
    notes = [note for part in parts for note in layer_notes(part)]
    loops = [note for note in notes if note.lowering == "loop"]
    if loops:
        return LayerNote(layer.name, type(layer).__name__, "loop", {}, f"of {loops[0].name!r}: {loops[0].reason}")
    operators = sum((Counter(note.operators) for note in notes), Counter())
    return LayerNote(layer.name, type(layer).__name__, "native", dict(operators), reason)
