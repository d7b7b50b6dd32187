"""How far the outputs of a quantised graph are from those of the float one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_seq.export.quantization.validation_set import Batch
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["Accuracy", "accuracies"]


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
            steps = _counted_steps(spec.inputs, batch.inputs) if output.shape[1:2] == ("time",) else None
            a, b = (np.asarray(one[output.name], "float64") for one in (wanted, given))
            pairs.append((a, b) if steps is None else (a[steps], b[steps]))
        found.append(_compared(graph, output, rows, pairs))
    return found


def _compared(graph: str, output: TensorSpec, rows: int, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Accuracy:
    same, answers, total, size, count, largest = 0, 0, 0.0, 0.0, 0, 0.0
    for a, b in pairs:
        difference = np.abs(a - b)
        largest = max(largest, float(difference.max(initial=0)))
        total, size, count = total + difference.sum(), size + np.abs(a).sum(), count + a.size
        decided = _decisions(output, a, b)
        if decided is not None:
            same, answers = same + int(np.sum(decided)), answers + decided.size
    agreement = same / answers if answers else None
    return Accuracy(
        graph, output.name, rows, agreement, largest, float(total / max(count, 1)), float(size / max(count, 1))
    )


def _decisions(output: TensorSpec, a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """Which answers are the same; None where the output gives none."""
    if len(output.shape) < 2 or not isinstance(output.shape[-1], int):
        return None
    if output.shape[-1] > 1:
        return a.argmax(-1) == b.argmax(-1)
    if a.size and a.min() >= 0 and a.max() <= 1:
        return (a > 0.5) == (b > 0.5)
    return None


def _counted_steps(specs: Sequence[TensorSpec], inputs: dict[str, np.ndarray]) -> np.ndarray | None:
    """(batch, time) booleans: steps that are not padding; None where no input is padded."""
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
    same, differences, sizes = 0, [], []
    for a, b in zip(expected, received, strict=True):
        for row in range(len(a["ids"])):
            first, second = (one["ids"][row, 0, : one["lengths"][row, 0]] for one in (a, b))
            same += np.array_equal(first, second)
        differences.append(np.abs(a["scores"][:, 0] - b["scores"][:, 0]))
        sizes.append(np.abs(a["scores"][:, 0]))
    difference, size = np.concatenate(differences), np.concatenate(sizes)
    return Accuracy(
        graph, "ids", rows, same / rows, float(difference.max()), float(difference.mean()), float(size.mean())
    )
