"""How far the outputs of a quantised graph are from those of the float one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_seq.export.quantization.validation_set import Batch
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["Accuracy", "accuracies", "counted_steps"]

_FAR = float(np.finfo("float32").max)
"""A difference beyond numbers; JSON has no infinity."""


@dataclass(frozen=True)
class Accuracy:
    """One output of a quantised graph beside the float one's.

    Attributes:
        graph: The graph.
        output: The output.
        rows: Sequences tried.
        agreement: The share of answers that stay the same: of the likeliest class at a step, of the side of 0.5 that
            a probability is on, of the best hypothesis for a source. None where an output decides nothing.
        max_abs_diff: The largest difference.
        mean_abs_diff: The mean difference.
        mean_abs: The mean size of the float output, to see the differences by.
    """

    graph: str
    output: str
    rows: int
    agreement: float | None
    max_abs_diff: float
    mean_abs_diff: float
    mean_abs: float

    @property
    def relative_diff(self) -> float:
        """The mean difference in parts of the mean size."""
        return self.mean_abs_diff / max(self.mean_abs, float(np.finfo("float32").tiny))

    def __str__(self) -> str:
        same = "" if self.agreement is None else f"{self.agreement:.2%} of answers the same, "
        return (
            f"{self.graph}, output {self.output!r}, {self.rows} rows: {same}largest difference "
            f"{self.max_abs_diff:.2e}, mean {self.mean_abs_diff:.2e} ({self.relative_diff:.2%} of the mean size)"
        )


def accuracies(
    graph: str,
    spec: GraphSpec,
    batches: Sequence[Batch],
    expected: Sequence[dict[str, np.ndarray]],
    received: Sequence[dict[str, np.ndarray]],
) -> list[Accuracy]:
    """Compares all outputs over all batches. Steps that are padding in every input do not count.

    Args:
        graph: The graph's name.
        spec: Its signature.
        batches: The inputs.
        expected: The float graph's outputs, by name, one dict a batch.
        received: The quantised one's.
    """
    rows = sum(batch.rows for batch in batches)
    if spec.decoding is not None:
        return [_hypotheses(graph, rows, expected, received)]
    found = []
    for output in spec.outputs:
        pairs = []
        for batch, wanted, given in zip(batches, expected, received, strict=True):
            steps = counted_steps(spec.inputs, batch.inputs) if output.shape[1:2] == ("time",) else None
            a, b = (np.asarray(one[output.name], "float64") for one in (wanted, given))
            pairs.append((a, b) if steps is None else (a[steps], b[steps]))
        found.append(_compared(graph, output, rows, pairs))
    return found


def _compared(graph: str, output: TensorSpec, rows: int, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Accuracy:
    differences, sizes = (np.concatenate(parts) for parts in zip(*(_distances(a, b) for a, b in pairs), strict=True))
    decided = _decisions(output, pairs)
    return Accuracy(
        graph,
        output.name,
        rows,
        float(decided.mean()) if decided is not None and decided.size else None,
        float(differences.max(initial=0)),
        float(differences.sum() / max(differences.size, 1)),
        float(sizes.sum() / max(sizes.size, 1)),
    )


def _distances(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far apart numbers are, and the size of the first, flat. What is beyond numbers in both alike counts as 0."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):  # of infinities
        difference = np.where(same, 0, np.abs(a - b))
    finite = np.nan_to_num(difference, nan=_FAR, posinf=_FAR)
    return finite.reshape(-1), np.where(np.isfinite(a), np.abs(a), 0).reshape(-1)


def _decisions(output: TensorSpec, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray | None:
    """Which answers are the same; None where the output gives none."""
    if len(output.shape) < 2 or not isinstance(output.shape[-1], int):
        return None
    if output.shape[-1] > 1:
        return np.concatenate([(a.argmax(-1) == b.argmax(-1)).reshape(-1) for a, b in pairs])
    if all(np.all((a >= 0) & (a <= 1)) for a, _ in pairs):
        return np.concatenate([((a > 0.5) == (b > 0.5)).reshape(-1) for a, b in pairs])
    return None


def counted_steps(specs: Sequence[TensorSpec], inputs: dict[str, np.ndarray]) -> np.ndarray | None:
    """(batch, time) booleans: steps that are not padding in every input; None where no input is padded.

    Args:
        specs: The inputs.
        inputs: Their values, by name.
    """
    found = None
    for spec in specs:
        if spec.pad_value is not None and spec.shape[1:2] == ("time",):
            value = inputs[spec.name]
            steps = (value != spec.pad_value).reshape(*value.shape[:2], -1).any(axis=2)
            found = steps if found is None else found | steps
    return found


def _hypotheses(
    graph: str, rows: int, expected: Sequence[dict[str, np.ndarray]], received: Sequence[dict[str, np.ndarray]]
) -> Accuracy:
    """The best hypothesis of each source, and its score."""
    same, scores = 0, []
    for a, b in zip(expected, received, strict=True):
        for row in range(len(a["ids"])):
            first, second = (one["ids"][row, 0, : one["lengths"][row, 0]] for one in (a, b))
            same += np.array_equal(first, second)
        scores.append(_distances(*(one["scores"][:, 0].astype("float64") for one in (a, b))))
    difference, size = (np.concatenate(parts) for parts in zip(*scores, strict=True))
    return Accuracy(
        graph, "ids", rows, same / rows, float(difference.max()), float(difference.mean()), float(size.mean())
    )
