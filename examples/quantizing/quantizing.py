"""A quantised variant of a bundle: what it is tried on, and what it is beside the float one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from keras_seq.cli.timing import measure
from keras_seq.export.report import ExportReport
from keras_seq.serving import Predictor


@dataclass(frozen=True)
class Quantizing:
    """What a demo quantises to, and what it is tried on.

    Args:
        variant: `"int8"`, `"fp16"` or None for no variant.
        validation_data: As `export_model` takes it; none of it was learnt from.
        metric: As `export_model` takes it: the one that the demo judges by.
        timed: By what the table calls them, the calls that are timed: the name of a graph, and its inputs.
    """

    variant: str | None = None
    validation_data: Any = None
    metric: Any = None
    timed: Mapping[str, tuple[str, Any]] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """What `export_model` is given besides; nothing where there is no variant."""
        if self.variant is None:
            return {}
        return {"quantize": self.variant, "validation_data": self.validation_data, "metric": self.metric}

    def show(self, console: Console, report: ExportReport, rounds: int = 3) -> None:
        """Prints size, answers and speed of the variant beside those of the float graphs; nothing if there is none.

        Args:
            console: Where to print.
            report: Of the export.
            rounds: How many blocks of calls each graph gets.
        """
        found = report.quantization
        if found is None:
            return
        table = Table("", title="Quantised", title_justify="left")
        for heading in ("float32", found.variant, ""):
            table.add_column(heading, justify="right")
        for graph, before in found.bytes_before.items():
            after = found.bytes_after[graph]
            table.add_row(f"{graph}, MB", f"{before / 1e6:.3f}", f"{after / 1e6:.3f}", f"{after / before:.3f} as large")
        for score in found.scores:
            table.add_row(
                f"{score.graph}, {score.metric}", f"{score.before:.4f}", f"{score.after:.4f}", f"{0 - score.drop:+.2%}"
            )
        for row in found.accuracies:
            if row.agreement is not None:
                table.add_row(f"{row.graph}, same {row.output} in {row.rows:,} rows", "", f"{row.agreement:.2%}", "")
        for name, times in self._times(report, rounds).items():
            before, after = times
            table.add_row(f"{name}, ms", f"{before:.3g}", f"{after:.3g}", f"{before / after:.2f} times as fast")
        console.print(table)
        for layer in found.kept_float:
            console.print(f"stayed in float32, because the metric suffered: {layer}", markup=False)

    def _times(self, report: ExportReport, rounds: int) -> dict[str, tuple[float, float]]:
        """Milliseconds of a call on a quiet machine, of the float graph and of the variant, which take turns."""
        found = {}
        for name, (graph, inputs) in self.timed.items():
            predictors = [Predictor(report.path, graph=graph, variant=variant) for variant in (None, self.variant)]
            calls = {str(number): partial(one.predict, inputs) for number, one in enumerate(predictors)}
            timings = measure(calls, rounds=rounds, warm_calls=1)
            found[name] = tuple(1000 * timing.p10_seconds for timing in timings.values())
            for predictor in predictors:
                predictor.close()
        return found
