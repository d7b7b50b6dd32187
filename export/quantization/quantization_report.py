"""What quantising a bundle did: to its size, to its answers, and to each layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from keras_seq.export.quantization.accuracy import Accuracy
from keras_seq.export.quantization.decision import Decision
from keras_seq.export.quantization.sensitivity import Sensitivity
from keras_seq.export.quantization.task_metric import Score

__all__ = ["QuantizationReport"]


@dataclass(frozen=True)
class QuantizationReport:
    """What quantising a bundle did.

    Attributes:
        variant: What the quantised graphs are called: `"int8"` or `"fp16"`.
        measured_on: What they were tried on, in words.
        unknown: What is not known for want of data or a metric; empty where nothing is missing.
        processor: What the processor that tried them multiplies 8-bit integers with.
        bytes_before: Size of each graph's file, by graph.
        bytes_after: Size of each quantised graph's file.
        accuracies: A row an output of a graph.
        scores: A row a graph with a metric.
        kept_float: Layers that stayed in float32 because the metric suffered.
        sensitivities: The layers by how much the outputs depend on them.
        decisions: What became of each node's weights, by graph.
    """

    variant: str
    measured_on: str
    unknown: tuple[str, ...]
    processor: str
    bytes_before: Mapping[str, int]
    bytes_after: Mapping[str, int]
    accuracies: tuple[Accuracy, ...]
    scores: tuple[Score, ...]
    kept_float: tuple[str, ...]
    sensitivities: tuple[Sensitivity, ...]
    decisions: Mapping[str, tuple[Decision, ...]]

    def to_dict(self) -> dict:
        """As the manifest holds it."""
        return {
            "measured_on": self.measured_on,
            "unknown": list(self.unknown),
            "processor": self.processor,
            "sizes": {
                graph: {"float": self.bytes_before[graph], "quantized": self.bytes_after[graph]}
                for graph in self.bytes_before
            },
            "accuracy": [asdict(row) for row in self.accuracies],
            "metrics": [asdict(row) for row in self.scores],
            "kept_float": list(self.kept_float),
            "sensitivity": [row.to_dict() for row in self.sensitivities],
            "layers": {graph: [row.to_dict() for row in rows] for graph, rows in self.decisions.items()},
        }

    def __str__(self) -> str:
        lines = [f"{self.variant}, tried on {self.measured_on} ({self.processor})"]
        lines += [f"  not known: {line}" for line in self.unknown]
        for graph, before in self.bytes_before.items():
            after = self.bytes_after[graph]
            lines.append(f"  {graph}: {after / 1e6:.2f} MB of {before / 1e6:.2f} MB, {after / before:.2f} of the size")
        lines += [f"  {row}" for row in (*self.scores, *self.accuracies)]
        lines += [f"  kept in float32: {layer}" for layer in self.kept_float]
        lines += [f"  {row}" for rows in self.decisions.values() for row in rows]
        return "\n".join([*lines, *(f"  {row}" for row in self.sensitivities)])
