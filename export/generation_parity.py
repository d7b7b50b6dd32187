"""Compares what a bundle generates with what its Keras model generates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_seq.export.battery import Case, random_inputs
from keras_seq.export.errors import ExportError
from keras_seq.export.generation import Generation
from keras_seq.export.parity import Parity, Tolerance, compare
from keras_seq.export.saved_model import saved_model_runner
from keras_seq.export.verification import float_files, onnx_runner

__all__ = ["CLOSE_CALL", "decided_rows", "verify_generation"]

CLOSE_CALL = 1e-4
"""A decision by less than this in log-probability may go the other way in another runtime, for rounding alone."""
_SIZES = ((1, 1), (1, 7), (5, 3), (3, 11), (7, 19))
_EXACT = Tolerance(atol=0.0, rtol=0.0)
_SCORES = Tolerance(atol=1e-4, rtol=1e-4)
_WHOLE = ("ids", "lengths", "finished")


def verify_generation(folder: Path, generation: Generation, has_onnx: bool, signatures: Sequence[str]) -> list[Parity]:
    """Compares every form of the decode loop in a bundle's folder with the Keras model's own.

    Ids, lengths and ends must be equal, the rest within 1e-4, for every row that was not decided by a hair's breadth;
    of those the others may be right as well.

    Args:
        folder: The bundle.
        generation: The model, and how it generates.
        has_onnx: Whether there are ONNX graphs.
        signatures: Of the SavedModel, if there is one.

    Raises:
        ExportError: Every single row was decided that closely, so nothing was compared.
    """
    runners = {file: onnx_runner(folder / file) for file in float_files(folder, "generate")} if has_onnx else {}
    if "generate" in signatures:
        runners["saved_model:generate"] = saved_model_runner(folder / "saved_model", "generate")
    cases = _cases(generation)
    reference = generation.reference()
    answers = [reference(case.inputs) for case in cases]
    decided = [margins > CLOSE_CALL for _, margins in answers]
    if not any(rows.any() for rows in decided):
        raise ExportError(
            f"model {generation.model.name!r} takes every token by less than {CLOSE_CALL} in log-probability, so that "
            "rounding decides what it generates and nothing can be verified. Train it first, or pass verify=False."
        )
    cases, answers, decided = zip(
        *[row for row in zip(cases, answers, decided, strict=True) if row[2].any()], strict=True
    )
    expected = [decided_rows(outputs, rows) for (outputs, _), rows in zip(answers, decided, strict=True)]
    results = []
    for candidate, run in runners.items():
        found = [decided_rows(run(case.inputs), rows) for case, rows in zip(cases, decided, strict=True)]
        for names, tolerance in ((_WHOLE, _EXACT), (set(expected[0]) - set(_WHOLE), _SCORES)):
            answers_by_input = {id(case.inputs): outputs for case, outputs in zip(cases, found, strict=True)}
            results += compare(
                "keras",
                candidate,
                [{name: value for name, value in outputs.items() if name in names} for outputs in expected],
                lambda inputs, answers=answers_by_input: answers[id(inputs)],
                cases,
                tolerance,
            )
    return results


def decided_rows(outputs: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    """What was generated for some of the sources, cut to the longest of their hypotheses.

    Args:
        outputs: Of a decode loop, by name.
        rows: Booleans, one a source.
    """
    chosen = {name: value[rows] for name, value in outputs.items()}
    longest = int(chosen["lengths"].max(initial=0))
    return {n: value[:, :, :longest] if n in ("ids", "alignments") else value for n, value in chosen.items()}


def _cases(generation: Generation) -> list[Case]:
    """Sources of several sizes, padded and not, with the options as they are and at their ends."""
    rng = np.random.default_rng(5)
    defaults = {option.name: np.asarray(option.default, option.dtype) for option in generation.options}
    limit = generation.limits.get("time", max(time for _, time in _SIZES))
    cases = []
    for batch, time in _SIZES:
        inputs = random_inputs(generation.inputs, rng, batch, min(time, limit))
        for spec in generation.inputs:
            if spec.pad_value is not None and spec.shape[1:2] == ("time",):
                lengths = rng.integers(1, inputs[spec.name].shape[1] + 1, batch)
                padding = np.arange(inputs[spec.name].shape[1]) >= lengths[:, None]
                inputs[spec.name][padding] = spec.pad_value
        cases.append(Case(f"batch {batch}, time {time}", inputs | defaults))
    last = cases[-1].inputs
    extremes = {"max_length": 1, "alpha": 0.0, "temperature": 0.5, "top_p": 0.5, "min_p": 0.3, "seed": 2**31 - 1}
    cases += [
        Case(f"{name}={extremes[name]}", last | {name: np.asarray(extremes[name], default.dtype)})
        for name, default in defaults.items()
    ]
    return cases
