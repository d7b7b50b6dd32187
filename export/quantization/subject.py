"""One graph of a bundle on its way to fewer bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import onnx

from keras_seq.export.parity import Runner
from keras_seq.export.quantization.accuracy import Accuracy, accuracies, counted_steps
from keras_seq.export.quantization.decision import FLOAT, Decision
from keras_seq.export.quantization.quantized_graph import quantized_graph
from keras_seq.export.quantization.task_metric import Score, TaskMetric
from keras_seq.export.quantization.validation_set import Batch, ValidationSet
from keras_seq.export.quantization.weight_owners import WeightOwners
from keras_seq.export.verification import onnx_runner
from keras_seq.serving.graph_spec import GraphSpec

__all__ = ["Subject", "Trial"]


@dataclass(frozen=True)
class Trial:
    """A quantised graph, and what it does to the answers.

    Attributes:
        proto: The graph.
        decisions: What became of each node's weights.
        accuracies: A row an output.
        score: Of the task, where there is a metric.
    """

    proto: onnx.ModelProto
    decisions: list[Decision]
    accuracies: list[Accuracy]
    score: Score | None


@dataclass(frozen=True)
class Subject:
    """A float graph, its signature, and the data to try quantised ones on.

    Attributes:
        name: Of the graph.
        proto: The graph.
        spec: Its signature.
        data: What it is tried on.
        metric: Of the task; None for none.
        owners: Which layer a weight is of.
    """

    name: str
    proto: onnx.ModelProto
    spec: GraphSpec
    data: ValidationSet
    metric: TaskMetric | None
    owners: WeightOwners

    @cached_property
    def expected(self) -> list[dict[str, np.ndarray]]:
        """The float graph's outputs, one dict a batch."""
        return self._outputs(self.proto)

    def decisions(self, bits: int) -> list[Decision]:
        """What becomes of each node's weights if all may be quantised that are worth it."""
        return quantized_graph(self.proto, bits, self.owners)[1]

    def layers(self, bits: int) -> dict[str, int]:
        """The layers that have weights worth quantising, and how many numbers those are."""
        found: dict[str, int] = {}
        for decision in self.decisions(bits):
            if decision.form != FLOAT:
                found[decision.layer] = found.get(decision.layer, 0) + decision.elements
        return found

    def first(self, rows: int) -> Subject:
        """The same with the first rows of its data alone, and without a metric."""
        return replace(self, data=self.data.first(rows), metric=None)

    def quantized(self, bits: int, wanted: Callable[[str], bool]) -> Trial:
        """Quantises the layers that are wanted, and tries the result.

        Args:
            bits: 8 or 16.
            wanted: Says of a layer whether its weights may be quantised.
        """
        proto, decisions = quantized_graph(self.proto, bits, self.owners, wanted)
        received = self._outputs(proto)
        rows = accuracies(self.name, self.spec, self.data.batches, self.expected, received)
        return Trial(proto, decisions, rows, self._score(received))

    def _outputs(self, proto: onnx.ModelProto) -> list[dict[str, np.ndarray]]:
        run = _runner(proto, self.spec)
        return [run(batch.inputs) for batch in self.data.batches]

    def _score(self, received: Sequence[dict[str, np.ndarray]]) -> Score | None:
        if self.metric is None:
            return None
        batches = [self._weighted(batch) for batch in self.data.batches]
        before, after = (self.metric.compute(batches, outputs) for outputs in (self.expected, received))
        drop = self.metric.drop(batches, self.expected, before, after)
        return Score(self.name, self.metric.name, before, after, drop)

    def _weighted(self, batch: Batch) -> Batch:
        """A batch whose padding has no weight, as in training, where the user gave no weights."""
        steps = counted_steps(self.spec.inputs, batch.inputs)
        timed = len(self.spec.outputs) == 1 and self.spec.outputs[0].shape[1:2] == ("time",)
        if steps is None or not timed or batch.weights is not None:
            return batch
        return replace(batch, weights=steps.astype("float32"))


def _runner(proto: onnx.ModelProto, spec: GraphSpec) -> Runner:
    """Runs a graph from memory: states start at zero, options have their defaults."""
    run = onnx_runner(proto.SerializeToString())
    names = [output.name for output in spec.outputs]

    def outputs(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows = len(next(iter(inputs.values())))
        states = {state.input: np.zeros(state.start_shape(rows), state.dtype) for state in spec.states}
        found = run(inputs | states)
        return {name: found[name] for name in names}

    return outputs
