"""Graphs of a bundle in fewer bits: made, tried on the user's data, and written only if the task does not suffer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import onnx

from keras_seq.export import onnx_graph
from keras_seq.export.errors import ExportError, MetricDropError
from keras_seq.export.quantization.decision import FLOAT, INTEGER
from keras_seq.export.quantization.instruction_set import instruction_set
from keras_seq.export.quantization.place import related
from keras_seq.export.quantization.quantization_report import QuantizationReport
from keras_seq.export.quantization.sensitivity import Sensitivity, sensitivities
from keras_seq.export.quantization.subject import Subject, Trial
from keras_seq.export.quantization.task_metric import TaskMetric
from keras_seq.export.quantization.text_inputs import TextInputs
from keras_seq.export.quantization.validation_set import ValidationSet
from keras_seq.export.quantization.weight_owners import WeightOwners
from keras_seq.serving.errors import listed
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.variant_spec import VariantSpec

__all__ = ["QUANTIZATIONS", "Quantization", "write_quantized"]

QUANTIZATIONS = {"int8": 8, "fp16": 16}
"""What `quantize=` may be, and the bits of a weight."""
_GRAPHS = ("model", "step", "generate")


@dataclass(frozen=True)
class Quantization:
    """What a user asked for.

    Attributes:
        variant: `"int8"`, `"fp16"` or None.
        validation_data: As `export_model` takes it.
        metric: As `export_model` takes it.
        max_metric_drop: As `export_model` takes it.
    """

    variant: str | None
    validation_data: Any
    metric: Any
    max_metric_drop: float

    def check(self, formats: Sequence[str]) -> None:
        """Refuses what cannot be done, before anything is.

        Raises:
            ExportError: Something does not fit together.
        """
        if self.variant is None:
            if self.validation_data is not None or self.metric is not None:
                raise ExportError(
                    "`validation_data` and `metric` are what quantised graphs are tried on. Give quantize='int8' or "
                    "'fp16' too, or leave them out."
                )
            return
        if not isinstance(self.variant, str) or self.variant not in QUANTIZATIONS:
            raise ExportError(f"`quantize` must be {listed(QUANTIZATIONS)} or None. Received: {self.variant!r}.")
        if "onnx" not in formats:
            raise ExportError(
                f"quantize={self.variant!r} is of the ONNX graphs, so `formats` needs 'onnx'. Received: {formats}."
            )
        drop = self.max_metric_drop
        if isinstance(drop, bool) or not isinstance(drop, (int, float)) or not drop >= 0:
            raise ExportError(
                f"`max_metric_drop` must be a number from 0 on, 0.005 for half a per cent. Received: {drop!r}."
            )
        if self.metric is not None and self.validation_data is None:
            raise ExportError("`metric` needs `validation_data` with targets to be computed on. Give both.")

    def for_graphs(self, graphs: Iterable[str]) -> Quantization:
        """The same, with data that every graph can be given in its turn: of a generator the batches are kept.

        Args:
            graphs: Names of those that the bundle has.

        Raises:
            ExportError: Something is given for a graph that the bundle does not have.
        """
        for argument, given in (("validation_data", self.validation_data), ("metric", self.metric)):
            absent = [name for name in given if name not in graphs] if _is_by_graph(given) else []
            if absent:
                raise ExportError(
                    f"`{argument}` is given for {listed(absent)}, and the bundle has the graphs {listed(graphs)}. Give "
                    "`streaming` or `generate` too, or leave it out."
                )
        data = self.validation_data
        kept = {name: _kept(one) for name, one in data.items()} if _is_by_graph(data) else _kept(data)
        return replace(self, validation_data=kept)

    def of_graph(self, name: str, given: Any) -> Any:
        """What was given for one graph: by the graph's name, or else for the model and its stream."""
        if _is_by_graph(given):
            return given.get(name, given.get("model") if name == "step" else None)
        return None if name == "generate" else given


def _is_by_graph(given: Any) -> bool:
    return isinstance(given, Mapping) and bool(given) and set(given) <= set(_GRAPHS)


def _kept(data: Any) -> Any:
    return list(data) if isinstance(data, Iterator) else data


def write_quantized(
    folder: Path,
    graphs: Mapping[str, GraphSpec],
    model: keras.Model,
    texts: TextInputs,
    asked: Quantization,
    portable: bool,
    say: Callable[[str], None],
) -> tuple[dict[str, GraphSpec], QuantizationReport]:
    """Writes each graph of a bundle quantised, as a variant.

    Where a metric drops by more than allowed, layers go back to float32, the most sensitive first, until it does not.

    Args:
        folder: The bundle.
        graphs: By name, with their files in the folder.
        model: The Keras model.
        texts: The inputs that have a tokenizer.
        asked: What is wanted.
        portable: Whether the graphs keep to standard operators.
        say: Called with a line at the start of each stage.

    Returns:
        The graphs with the new variant, and what was found.

    Raises:
        ExportError: The data or the metric do not suit, or an operator is needed that the target lacks.
        MetricDropError: The metric drops too far whatever is left in float32. Nothing is written then.
    """
    bits = QUANTIZATIONS[asked.variant]
    owners = WeightOwners(model)
    asked = asked.for_graphs(graphs)
    subjects = [_subject(folder, name, graph, owners, texts, asked) for name, graph in graphs.items()]
    if portable and bits == 8:
        _check_portable(subjects)
    ranking = sensitivities(subjects[0], bits, say)
    trials, kept = _fitted(subjects, bits, ranking, asked, say)
    written, before, after = {}, {}, {}
    for subject, trial in zip(subjects, trials, strict=True):
        file = f"{subject.name}.{asked.variant}.onnx"
        (folder / file).write_bytes(trial.proto.SerializeToString())
        operators = onnx_graph.operators(trial.proto)
        variant = VariantSpec(file, sum(operators.values()), operators)
        written[subject.name] = replace(subject.spec, variants={**subject.spec.variants, asked.variant: variant})
        before[subject.name] = (folder / subject.spec.file).stat().st_size
        after[subject.name] = (folder / file).stat().st_size
    report = QuantizationReport(
        asked.variant,
        _measured_on(subjects[0].data),
        _unknown(subjects),
        instruction_set(),
        before,
        after,
        tuple(row for trial in trials for row in trial.accuracies),
        tuple(trial.score for trial in trials if trial.score is not None),
        tuple(kept),
        tuple(ranking),
        {subject.name: tuple(trial.decisions) for subject, trial in zip(subjects, trials, strict=True)},
    )
    return written, report


def _subject(
    folder: Path,
    name: str,
    graph: GraphSpec,
    owners: WeightOwners,
    texts: TextInputs,
    asked: Quantization,
) -> Subject:
    given = asked.of_graph(name, asked.validation_data)
    metric = asked.of_graph(name, asked.metric)
    if given is not None:
        data = ValidationSet.of(given, graph.inputs, texts)
    elif name == "generate" and asked.validation_data is not None:  # the sources that the model itself is tried on
        sources = asked.of_graph("model", asked.validation_data)
        data = ValidationSet.of(sources, graph.inputs, texts, others_too=True)
    else:
        data = ValidationSet.random(graph.inputs, graph.limits)
    if metric is not None and not data.has_targets:
        raise ExportError(
            f"the metric of graph {name!r} needs targets, and `validation_data` has none. Give (inputs, targets)."
        )
    proto = onnx.load(folder / graph.file)
    return Subject(name, proto, graph, data, None if metric is None else TaskMetric(metric), owners)


def _check_portable(subjects: Sequence[Subject]) -> None:
    for subject in subjects:
        wanting = [decision for decision in subject.decisions(8) if decision.form == INTEGER]
        if wanting:
            first = wanting[0]
            raise ExportError(
                f"quantize='int8' makes of layer {first.layer!r} ({first.operator}) an operator of ONNX Runtime's own "
                f"({first.reason}), which portable=True leaves out; so it does of {len(wanting)} nodes of "
                f"{subject.name}.onnx. Give quantize='fp16', or portable=False."
            )


def _fitted(
    subjects: Sequence[Subject],
    bits: int,
    ranking: Sequence[Sensitivity],
    asked: Quantization,
    say: Callable[[str], None],
) -> tuple[list[Trial], list[str]]:
    """Quantises all but as many of the most sensitive layers as the metric asks for."""
    kept: list[str] = []
    layers = _layers(subjects, bits, ranking)
    tried = []
    while True:
        say(f"quantising to {asked.variant}" + (f", {len(kept)} layers in float32" if kept else ""))
        trials = [
            subject.quantized(bits, lambda layer: not any(related(layer, one) for one in kept)) for subject in subjects
        ]
        failing = [trial.score for trial in trials if trial.score and trial.score.drop > asked.max_metric_drop]
        tried += [f"  {score}, with {len(kept)} layers in float32" for score in failing]
        done = all(decision.form == FLOAT for trial in trials for decision in trial.decisions)
        if not failing and not done:
            return trials, kept
        if done or len(kept) == len(layers):
            break
        kept.append(layers[len(kept)])
    table = "\n".join(f"  {row}" for row in ranking)
    if not tried:
        raise ExportError(
            f"model has no weights worth quantising to {asked.variant}: each of its layers is too small. Export it "
            "without `quantize`."
        )
    raise MetricDropError(
        f"quantised to {asked.variant} the model loses more than max_metric_drop={asked.max_metric_drop:.2%} whatever "
        "stays in float32:\n" + "\n".join(tried) + f"\nLayers by what quantising them alone does:\n{table}\n"
        "Allow a larger max_metric_drop, try quantize='fp16', or export without `quantize`."
    )


def _layers(subjects: Sequence[Subject], bits: int, ranking: Sequence[Sensitivity]) -> list[str]:
    """What may stay in float32, in turn: the layers that were tried, and then those that other graphs alone have."""
    layers = [row.layer for row in ranking]
    for subject in subjects[1:]:
        layers += [layer for layer in subject.layers(bits) if not any(related(layer, one) for one in layers)]
    return layers


def _measured_on(data: ValidationSet) -> str:
    return f"{'validation data' if data.is_data else 'random inputs'}, {data.rows} rows"


def _unknown(subjects: Sequence[Subject]) -> tuple[str, ...]:
    """What the figures do not say."""
    if not subjects[0].data.is_data:
        return (
            "what real inputs would lose: without `validation_data` the graphs were tried on random ones, which say "
            "how far numbers move and nothing of the task",
        )
    return tuple(
        f"what the task of graph {subject.name!r} loses: no `metric` was given for it"
        for subject in subjects
        if subject.metric is None
    )
