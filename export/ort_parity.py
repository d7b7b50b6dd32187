"""Compares quantised graphs in ONNX Runtime's own format with the ONNX files that they were made of.

Float graphs are not compared here: they are, like the ONNX files, with the Keras model (`verification`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from keras_seq.export.battery import Case, random_inputs
from keras_seq.export.ort_format import ORT
from keras_seq.export.ort_weights import gather_before_widening, hold_back_small_weights
from keras_seq.export.parity import Parity, Runner, Tolerance, compare
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.session import disabled_optimizers

__all__ = ["verify_ort"]

_SIZES = ((1, 1), (3, 11))
_SAME = Tolerance(atol=1e-6, rtol=1e-6)
"""The very same nodes run on the very same weights."""


def verify_ort(folder: Path, graphs: Mapping[str, GraphSpec]) -> list[Parity]:
    """Runs each quantised `.ort` file of a bundle and its `.onnx` file on the same inputs.

    Args:
        folder: The bundle.
        graphs: By name, with all their variants.
    """
    results = []
    for graph in graphs.values():
        pairs = [
            (spec.file, graph.variants[f"{name}.{ORT}"].file)
            for name, spec in graph.variants.items()
            if f"{name}.{ORT}" in graph.variants
        ]
        for reference, candidate in pairs:
            cases = _cases(graph)
            proto = onnx.load(folder / reference)
            gather_before_widening(proto.graph)
            hold_back_small_weights(proto.graph)
            run = _runner(proto.SerializeToString(), graph)
            expected = [run(case.inputs) for case in cases]
            results += compare(reference, candidate, expected, _runner(folder / candidate, graph), cases, _SAME)
    return results


def _runner(source: Path | bytes, graph: GraphSpec) -> Runner:
    options, providers = onnxruntime.SessionOptions(), ["CPUExecutionProvider"]
    options.log_severity_level = 3
    # The level that the other file was written at. Rounding decides to which of its 256 values a quantised activation
    # goes, so whatever is fused in one file must be in the other.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    disabled = disabled_optimizers(providers)
    session = onnxruntime.InferenceSession(source, options, providers=providers, disabled_optimizers=disabled)
    names = list(graph.output_names)
    no_text = {name: np.empty(0, object) for name in (graph.text.inputs if graph.text else ())}
    return lambda inputs: dict(zip(names, session.run(names, no_text | inputs), strict=True))


def _cases(graph: GraphSpec) -> list[Case]:
    """Random inputs; states too, but those that count or hold steps, which are at their start."""
    rng = np.random.default_rng(11)
    defaults = {option.name: np.asarray(option.default, option.dtype) for option in graph.options}
    cases = []
    for batch, time in _SIZES:
        steps = min(time, graph.limits.get("time", time))
        inputs = random_inputs(graph.inputs, rng, batch, steps, limits=graph.limits)
        states = {}
        for state in graph.states:
            value = rng.normal(size=state.start_shape(batch)).astype(state.dtype)
            states[state.input] = np.zeros_like(value) if state.counts_steps else value
        cases.append(Case(f"batch {batch}, time {steps}", inputs | states | defaults))
    return cases
