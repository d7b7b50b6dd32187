"""The strings that one graph, or signature, takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, replace

from keras_seq.export.text.label_output import LabelOutput
from keras_seq.export.text.reading import Reading
from keras_seq.export.text.text_input import TextInput
from keras_seq.export.text.tokenizing import has_graph_form
from keras_seq.serving.text_spec import TextSpec

__all__ = ["TEXTS", "GraphText"]

TEXTS = "texts"
"""Name of the output that has what was generated as strings."""


@dataclass(frozen=True)
class GraphText:
    """The strings that one graph takes and gives besides its numbers.

    Attributes:
        inputs: Texts that stand for ids.
        labels: Names of the best classes.
        written: How generated ids are written as texts; None for a graph that generates none.
    """

    inputs: tuple[TextInput, ...] = ()
    labels: tuple[LabelOutput, ...] = ()
    written: Reading | None = None

    def __bool__(self) -> bool:
        return bool(self.inputs or self.labels or self.written)

    @property
    def output_names(self) -> list[str]:
        """The string outputs, in order."""
        tokens = [given.tokens for given in self.inputs if given.tokens]
        return [*tokens, *(output.name for output in self.labels), *[TEXTS] * (self.written is not None)]

    def in_onnx(self, portable: bool) -> GraphText | None:
        """What of it an ONNX graph can have: no texts in for word pieces or characters of words; none if portable."""
        if portable:
            return None
        # Inputs that share their steps are read from one text: if one of them has to be ids, so have the others.
        of_ids = {given.ids.shape[1] for given in self.inputs if not has_graph_form(given.reading.document)}
        inputs = tuple(given for given in self.inputs if given.ids.shape[1] not in of_ids)
        return replace(self, inputs=inputs) or None

    def to_spec(self) -> TextSpec:
        """As the manifest holds it."""
        return TextSpec({given.name: given.ids.name for given in self.inputs}, tuple(self.output_names))
