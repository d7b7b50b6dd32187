"""A string output that names the best class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["LabelOutput"]


@dataclass(frozen=True)
class LabelOutput:
    """Labels that a graph gives beside the scores of classes.

    Attributes:
        name: Of the output.
        scores: The output that has a score for each class along its last axis.
        labels: One a class. Of two the scores may be one: the probability of the second.
        ids: Name of the input of ids whose padded steps have the label ""; None where steps are none.
        several: Whether that input has several ids a step, `(batch, time, width)`, of which the first is 0 in padding
            alone, instead of `(batch, time)`.
    """

    name: str
    scores: TensorSpec
    labels: list[str]
    ids: str | None = None
    several: bool = False

    @property
    def single(self) -> bool:
        """Whether there is one score, the probability of the second label."""
        return self.scores.shape[-1] == 1 and len(self.labels) == 2

    def is_step(self, ids: np.ndarray) -> np.ndarray:
        """Which steps are no padding, from those ids: booleans `(batch, time)`."""
        return (ids[..., 0] if self.several else ids) != 0

    def best(self, scores: np.ndarray) -> np.ndarray:
        """The index of the label of each entry, from scores `(..., classes)`: `(...)`."""
        return (scores[..., 0] > 0.5).astype("int64") if self.single else scores.argmax(axis=-1)
