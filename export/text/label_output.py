"""A string output that names the best class."""

from __future__ import annotations

from dataclasses import dataclass

from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["LabelOutput"]


@dataclass(frozen=True)
class LabelOutput:
    """Labels that a graph gives beside the scores of classes.

    Attributes:
        name: Of the output.
        scores: The output that has a score for each class along its last axis.
        labels: One a class.
        ids: Name of the input of ids `(batch, time)` whose padded steps have the label ""; None where steps are none.
    """

    name: str
    scores: TensorSpec
    labels: list[str]
    ids: str | None = None
