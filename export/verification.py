"""Runs everything in a bundle on the same inputs and compares: with the Keras model, and whole with chunked."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from keras_seq.export.battery import NO_LIMITS, Case, battery, random_inputs
from keras_seq.export.lowering.trace import StreamState
from keras_seq.export.parity import Parity, Runner, Tolerance, compare
from keras_seq.export.saved_model import saved_model_runner
from keras_seq.export.text.text_signature import SIGNATURES
from keras_seq.serving.session import disabled_optimizers
from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["float_files", "onnx_runner", "verify_folder"]

_STREAM_SIZES = ((1, 7), (3, 29))
_RECURRENT = Tolerance(atol=1e-6, rtol=1e-6)
"""A recurrence computes the very sums of the whole, one step after the other, however it is cut.

Attention sums over all steps, in products of other sizes: 12 layers of 512 features differ by 3e-6. So streams that
carry a cache have the tolerance of any comparison.
"""


def onnx_runner(graph: Path | bytes, strings: bool = False) -> Runner:
    """Runs an ONNX graph on ONNX Runtime's CPU provider, with the fusions that a `Predictor` has.

    Args:
        graph: Its file, or what would be in it.
        strings: Whether to ask for its outputs of strings too.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(
        graph if isinstance(graph, bytes) else str(graph),
        options,
        providers=providers,
        disabled_optimizers=disabled_optimizers(providers),
    )
    names = [output.name for output in session.get_outputs() if strings or output.type != "tensor(string)"]
    no_text = {given.name: np.empty(0, object) for given in session.get_inputs() if given.type == "tensor(string)"}

    def run(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, no_text | inputs), strict=True))

    return run


def float_files(folder: Path, graph: str) -> list[str]:
    """The files in a bundle's folder that hold a graph as it was exported, nothing quantised.

    Args:
        folder: The bundle.
        graph: The graph's name.
    """
    return [f"{graph}.onnx", *[file for file in (f"{graph}.ort",) if (folder / file).is_file()]]


def verify_folder(
    folder: Path,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    states: Sequence[StreamState],
    has_onnx: bool,
    signatures: Sequence[str],
    reference: Runner | None,
    pad_values: dict[str, object],
    tolerance: Tolerance,
    limits: Mapping[str, int] = NO_LIMITS,
    attends: bool = False,
) -> list[Parity]:
    """Compares everything in a bundle's folder.

    Args:
        folder: The bundle.
        inputs: Of the model.
        outputs: Of the model.
        states: Of its stream, if it has one.
        has_onnx: Whether there are ONNX graphs.
        signatures: Of the SavedModel, if there is one.
        reference: Runs the Keras model; without it the first of the bundle's own forms stands in.
        pad_values: By input name, the value that masks a step.
        tolerance: Of the comparisons with the reference.
        limits: The largest sizes of the inputs' dynamic dimensions, by name.
        attends: Whether the model has layers of attention, and so is tried on a length far beyond the others.
    """
    whole, chunked = _runners(folder, bool(states), has_onnx, signatures)
    if reference is None:
        name, reference = next(iter(whole.items()))
        del whole[name]
    else:
        name = "keras"
    cases = battery(inputs, pad_values, limits=limits, attends=attends)
    expected = [reference(case.inputs) for case in cases]
    results = []
    for candidate, run in whole.items():
        results += compare(name, candidate, expected, run, cases, tolerance)
    if not chunked:
        return results

    attends = any(isinstance(dim, str) for state in states for dim in state.shape)
    # Rounding that a model is known to amplify is amplified between chunks as well.
    in_chunks = tolerance if attends or tolerance.atol > Tolerance().atol else _RECURRENT
    cases = _stream_cases(inputs, pad_values, limits)
    expected = [reference(case.inputs) for case in cases]
    for candidate, run in chunked.items():
        at_once = _stream_runner(run, inputs, outputs, states, cuts=None)
        in_pieces = _stream_runner(run, inputs, outputs, states, cuts=np.random.default_rng(2))
        results += compare(name, candidate, expected, at_once, cases, tolerance)
        uncut = [at_once(case.inputs) for case in cases]
        results += compare(f"{candidate} at once", f"{candidate} in chunks", uncut, in_pieces, cases, in_chunks)
    return results


def _runners(
    folder: Path, streaming: bool, has_onnx: bool, signatures: Sequence[str]
) -> tuple[dict[str, Runner], dict[str, Runner]]:
    """What is to be compared: by name, what takes whole sequences and what takes chunks."""
    whole: dict[str, Runner] = {}
    chunked: dict[str, Runner] = {}
    if has_onnx:
        whole |= {file: onnx_runner(folder / file) for file in float_files(folder, "model")}
        if streaming:
            chunked |= {file: onnx_runner(folder / file) for file in float_files(folder, "step")}
    for name in set(signatures) - {"generate", *SIGNATURES.values()}:  # which have comparisons of their own
        runners = chunked if name == "step" else whole
        runners[f"saved_model:{name}"] = saved_model_runner(folder / "saved_model", name)
    return whole, chunked


def _stream_cases(inputs: Sequence[TensorSpec], pad_values: dict[str, object], limits: Mapping[str, int]) -> list[Case]:
    rng = np.random.default_rng(3)
    cases = []
    for batch, longest in _STREAM_SIZES:
        time = min(longest, limits.get("time", longest))
        given = random_inputs(inputs, rng, batch, time, limits=limits)
        cases.append(Case(f"stream, batch {batch}, time {time}", given))
        if pad_values:
            keep = rng.random((batch, time)) < 0.6
            masked = {
                name: np.where(keep.reshape(keep.shape + (1,) * (value.ndim - 2)), value, pad_values[name]).astype(
                    value.dtype
                )
                if name in pad_values
                else value
                for name, value in given.items()
            }
            cases.append(Case(f"masked stream, batch {batch}, time {time}", masked))
    return cases


def _stream_runner(
    run: Runner,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    states: Sequence[StreamState],
    cuts: np.random.Generator | None,
) -> Runner:
    """Runs a whole input through a step graph, in one piece or cut at random places."""
    axes = {spec.name: spec.shape.index("time") for spec in (*inputs, *outputs) if "time" in spec.shape}
    timed = [spec.name for spec in inputs if spec.name in axes]

    def streamed(whole: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        batch, time = len(whole[timed[0]]), whole[timed[0]].shape[axes[timed[0]]]
        carried = {state.name: np.zeros(state.start_shape(batch), "float32") for state in states}
        bounds = [0, time]
        if cuts is not None:
            inner = cuts.choice(np.arange(1, time), size=min(time - 1, 4), replace=False)
            bounds = sorted({0, time, *inner.tolist()})
        pieces = []
        for start, stop in itertools.pairwise(bounds):
            chunk = {n: np.take(v, range(start, stop), axis=axes[n]) if n in timed else v for n, v in whole.items()}
            results = run({**chunk, **carried})
            carried = {state.name: results.pop(state.next_name) for state in states}
            pieces.append(results)
        # What follows time is put together along it; of the rest the last piece counts.
        return {
            spec.name: np.concatenate([piece[spec.name] for piece in pieces], axis=axes[spec.name])
            if spec.name in axes
            else pieces[-1][spec.name]
            for spec in outputs
        }

    return streamed
