"""Runs the graphs of a Triton model repository as Triton would, and compares with the bundle's own."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_seq.export.battery import Case, random_inputs
from keras_seq.export.parity import Parity, Runner, Tolerance, compare
from keras_seq.export.triton import TritonEntry
from keras_seq.export.verification import onnx_runner
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.tensor_spec import StateSpec

__all__ = ["verify_triton"]

_SAME = Tolerance(atol=1e-6, rtol=1e-6)
"""The very same operators run on the very same values."""
_SIZES = ((1, 1), (3, 11))
_CHUNKS = (1, 4, 2)
_TEXTS = (("a b",), ("The cat, the dog.", "", "a"))


def verify_triton(folder: Path, spec: GraphSpec, entry: TritonEntry) -> list[Parity]:
    """Compares an entry's graph with the bundle's graph that it was made of.

    A stream is fed in chunks, from what Triton starts one with.

    Args:
        folder: The bundle's.
        spec: What the bundle says of the graph.
        entry: What was written.
    """
    of_bundle, of_entry = (onnx_runner(folder / file, strings=True) for file in (spec.file, entry.file))
    cases = _cases(spec, entry)
    if spec.states:
        of_bundle = _stream(of_bundle, spec, spec.states, empty=0)
        of_entry = _stream(of_entry, spec, spec.states, empty=1)
    given = {tensor.name for tensor in entry.outputs}
    expected = [{n: v for n, v in _numbers(of_bundle(case.inputs)).items() if n in given} for case in cases]
    return compare(spec.file, entry.file, expected, lambda inputs: _numbers(of_entry(inputs)), cases, _SAME)


def _cases(spec: GraphSpec, entry: TritonEntry) -> list[Case]:
    rng, cases = np.random.default_rng(5), []
    taken = {tensor.name for tensor in entry.inputs}
    sizes = ((1, sum(_CHUNKS)), (3, sum(_CHUNKS))) if spec.states else _SIZES
    if {given.name for given in spec.inputs} <= taken:
        for batch, time in sizes:
            values = random_inputs(spec.inputs, rng, batch, time, limits=spec.limits)
            cases.append(Case(f"batch {batch}, time {time}", values))
    strings = {} if spec.text is None else {n: ids for n, ids in spec.text.inputs.items() if n in taken}
    if strings:
        for texts in _TEXTS:
            others = [given for given in spec.inputs if given.name not in strings.values()]
            values = random_inputs(others, rng, len(texts), 5, limits=spec.limits)
            cases.append(Case(f"texts {texts}", values | {name: np.array(texts, object) for name in strings}))
    return cases


def _stream(run: Runner, spec: GraphSpec, states: Sequence[StateSpec], empty: int) -> Runner:
    """Feeds whole inputs in chunks; a state that grows has `empty` entries at the start."""
    timed = {given.name for given in spec.inputs if "time" in given.shape}

    def streamed(whole: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        batch = len(next(iter(whole.values())))
        shapes = {
            state.input: [batch, *(dim if isinstance(dim, int) else empty for dim in state.shape[1:])]
            for state in states
        }
        carried = {state.input: np.zeros(shapes[state.input], state.dtype) for state in states}
        outputs, start = {}, 0
        for number, steps in enumerate(_CHUNKS):
            chunk = {n: v[:, start : start + steps] if n in timed else v for n, v in whole.items()}
            results = run(chunk | carried)
            carried = {state.input: results.pop(state.output) for state in states}
            outputs |= {name: np.concatenate([outputs[name].ravel(), value.ravel()]) if number else value
                        for name, value in results.items()}  # fmt: skip
            start += steps
        return outputs

    return streamed


def _numbers(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Strings as numbers, for the comparison."""
    spelt = np.frompyfunc(lambda text: zlib.crc32(text.encode()), 1, 1)
    return {n: spelt(v).astype("float64") if v.dtype.kind in "OU" else v for n, v in outputs.items()}
