"""The score of a task, before and after quantisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras.src.trainers.compile_utils import get_metric

from keras_seq.export.errors import ExportError
from keras_seq.export.quantization.validation_set import Batch

__all__ = ["Score", "TaskMetric"]

Outputs = dict[str, np.ndarray]


@dataclass(frozen=True)
class Score:
    """A metric of one graph, in float32 and quantised.

    Attributes:
        graph: The graph.
        metric: What it is called.
        before: In float32.
        after: Quantised.
        drop: How much worse it became, relative to `before`: 0.01 is one per cent; negative where it became better.
    """

    graph: str
    metric: str
    before: float
    after: float
    drop: float

    def __str__(self) -> str:
        values = f"{self.before:.4f} in float32, {self.after:.4f} quantised"
        return f"{self.graph}: {self.metric} {values}, drop {self.drop:+.2%}"


class TaskMetric:
    """A metric as a user gives it, computed over all batches.

    Args:
        metric: The name of a Keras metric (`"accuracy"` is the kind that suits), a `keras.metrics.Metric` or a Keras
            loss, which know what is better; or a function `(targets, outputs) -> number` of which more is better. The
            function gets what all batches have together: arrays, or lists of rows where rows differ in shape; of
            several outputs a dict by name.

    Raises:
        ExportError: It is none of these, or Keras does not say whether more of it is better.
    """

    def __init__(self, metric: Any) -> None:
        self._metric = metric
        known = isinstance(metric, (str, keras.metrics.Metric, keras.losses.Loss))
        if not known and not callable(metric):
            raise ExportError(
                "`metric` must be the name of a Keras metric, a keras.metrics.Metric or a function (targets, outputs) "
                f"-> number. Received: {metric!r}."
            )
        self._of_keras = known
        self.name = (
            metric if isinstance(metric, str) else getattr(metric, "name", getattr(metric, "__name__", "metric"))
        )

    def compute(self, batches: Sequence[Batch], outputs: Sequence[Outputs]) -> float:
        """The metric over all batches.

        Args:
            batches: With targets.
            outputs: Of a graph, by name, one dict a batch.
        """
        if self._of_keras:
            return self._keras(batches, outputs)[0]
        targets = [batch.targets for batch in batches]
        names = list(outputs[0])
        found = {name: _together([one[name] for one in outputs]) for name in names}
        value = float(self._metric(_structured(targets), found if len(names) > 1 else found[names[0]]))
        if not np.isfinite(value):
            raise ExportError(f"`metric` ({self.name}) must give a finite number. Received: {value}.")
        return value

    def drop(self, batches: Sequence[Batch], outputs: Sequence[Outputs], before: float, after: float) -> float:
        """How much worse `after` is than `before`, relative to it."""
        worse = before - after if self._more_is_better(batches, outputs) else after - before
        return worse / max(abs(before), float(np.finfo("float32").tiny))

    def _more_is_better(self, batches: Sequence[Batch], outputs: Sequence[Outputs]) -> bool:
        if not self._of_keras:
            return True
        if isinstance(self._metric, keras.losses.Loss):
            return False
        direction = self._keras(batches[:1], outputs[:1])[1]
        if direction is None:
            raise ExportError(
                f"Keras does not say whether more of the metric {self.name!r} is better. Give a function (targets, "
                "outputs) -> number of which more is better."
            )
        return direction == "up"

    def _keras(self, batches: Sequence[Batch], outputs: Sequence[Outputs]) -> tuple[float, str | None]:
        metric = None
        for batch, found in zip(batches, outputs, strict=True):
            targets, predicted = _matched(batch.targets, found, self.name)
            if metric is None:
                if isinstance(self._metric, keras.metrics.Metric):
                    metric = type(self._metric).from_config(self._metric.get_config())  # the user's keeps its state
                else:
                    metric = get_metric(self._metric, targets, predicted)
            metric.update_state(targets, predicted, sample_weight=batch.weights)
        return float(metric.result()), getattr(metric, "_direction", None)


def _matched(targets: Any, outputs: Outputs, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Targets and the one output that they are of."""
    flat = keras.tree.flatten(targets)
    if len(flat) != 1 or len(outputs) != 1:
        raise ExportError(
            f"the metric {metric!r} of Keras compares one target with one output, and there are {len(flat)} and "
            f"{len(outputs)}. Give a function (targets, outputs) -> number, which gets the outputs by name."
        )
    return flat[0], next(iter(outputs.values()))


def _structured(targets: Sequence[Any]) -> Any:
    """The targets of all batches in the structure that one has."""
    flat = [keras.tree.flatten(one) for one in targets]
    return keras.tree.pack_sequence_as(targets[0], [_together(list(parts)) for parts in zip(*flat, strict=True)])


def _together(arrays: Sequence[np.ndarray]) -> np.ndarray | list[np.ndarray]:
    arrays = [np.asarray(array) for array in arrays]
    if len({array.shape[1:] for array in arrays}) == 1:
        return np.concatenate(arrays)
    return [row for array in arrays for row in array]


Metric = str | keras.metrics.Metric | keras.losses.Loss | Callable[[Any, Any], float]
"""What a user may give as a metric."""
