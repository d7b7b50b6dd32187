"""The score of a task, before and after quantisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
        if isinstance(metric, type):
            raise ExportError(f"`metric` must be an object, not its class. Give {metric.__name__}(...).")
        if isinstance(metric, str) and metric.lower() not in ("accuracy", "acc"):
            try:
                keras.metrics.get(metric)
            except ValueError as error:
                raise ExportError(f"`metric` is no name of a Keras metric. Received: {metric!r}.") from error
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
        value = self._keras(batches, outputs)[0] if self._of_keras else self._function(batches, outputs)
        if not np.isfinite(value):
            raise ExportError(f"`metric` ({self.name}) must give a finite number. Received: {value}.")
        return value

    def _function(self, batches: Sequence[Batch], outputs: Sequence[Outputs]) -> float:
        targets = [batch.targets for batch in batches]
        names = list(outputs[0])
        found = {name: _together([one[name] for one in outputs]) for name in names}
        value = self._metric(_structured(targets), found if len(names) > 1 else found[names[0]])
        if np.ndim(value):
            raise ExportError(f"`metric` ({self.name}) must give a number. Received: shape {np.shape(value)}.")
        return float(value)

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
        pairs = [_matched(batch.targets, found, self.name) for batch, found in zip(batches, outputs, strict=True)]
        if isinstance(self._metric, keras.losses.Loss):  # whose own mean would be one number a batch, without weights
            metric = keras.metrics.MeanMetricWrapper(self._metric.call, name=self.name)
        else:
            given = isinstance(self._metric, keras.metrics.Metric)
            metric = self._metric if given else get_metric(self._metric, *pairs[0])
        with _borrowed(metric):
            for batch, (targets, predicted) in zip(batches, pairs, strict=True):
                metric.update_state(targets, predicted, sample_weight=batch.weights)
            return float(metric.result()), getattr(metric, "_direction", None)


@contextmanager
def _borrowed(metric: keras.metrics.Metric) -> Iterator[None]:
    """A metric without a state, which has its own again afterwards: it may be in use."""
    before = [np.array(variable) for variable in metric.variables]
    metric.reset_state()
    try:
        yield
    finally:
        metric.reset_state()  # of variables that it makes when it is first used
        for variable, value in zip(metric.variables, before, strict=False):
            variable.assign(value)


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
