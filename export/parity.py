"""Comparison of two implementations of a model, output by output, over a battery of inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import numpy as np

from keras_seq.export.battery import Case
from keras_seq.export.errors import ParityError

__all__ = ["Parity", "Tolerance", "check_parity", "compare"]

Runner = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
"""Computes a model's outputs, by name, from its inputs, by name."""
_FAR = float(np.finfo("float32").max)
"""A difference beyond numbers; JSON has no infinity."""


@dataclass(frozen=True)
class Tolerance:
    """A difference passes if it is at most `atol + rtol * |reference|`."""

    atol: float = 1e-5
    rtol: float = 1e-5


@dataclass(frozen=True)
class Parity:
    """One output of one candidate against the reference.

    Attributes:
        reference: What was compared with, e.g. `"keras"`.
        candidate: What was compared, e.g. `"model.onnx"`.
        output: The output's name.
        cases: Number of inputs tried.
        max_abs_diff: Largest absolute difference over all cases.
        max_rel_diff: Largest difference relative to the largest magnitude in its case.
        atol: Allowed absolute difference.
        rtol: Allowed difference relative to each element.
        passed: Whether every element of every case was within the tolerance.
        worst_case: Label of the case with the largest difference.
    """

    reference: str
    candidate: str
    output: str
    cases: int
    max_abs_diff: float
    max_rel_diff: float
    atol: float
    rtol: float
    passed: bool
    worst_case: str = ""

    def to_dict(self) -> dict:
        """As the manifest holds it."""
        return asdict(self)

    def __str__(self) -> str:
        verdict = "ok" if self.passed else f"DIFFERS (worst case: {self.worst_case})"
        return (
            f"{self.candidate} against {self.reference}, output {self.output!r}, {self.cases} cases: largest "
            f"difference {self.max_abs_diff:.2e}, allowed {self.atol:.0e} + {self.rtol:.0e} * |value|: {verdict}"
        )


def compare(
    reference: str,
    candidate: str,
    expected: Iterable[dict[str, np.ndarray]],
    run: Runner,
    cases: Iterable[Case],
    tolerance: Tolerance,
) -> list[Parity]:
    """Runs a candidate on all cases and compares every output.

    Args:
        reference: Name of what computed `expected`.
        candidate: Name of what `run` runs.
        expected: The reference's outputs, one dict a case.
        run: The candidate.
        cases: The inputs.
        tolerance: What passes.
    """
    found: dict[str, list[tuple[bool, float, float, str]]] = {}
    count = 0
    for case, outputs in zip(cases, expected, strict=True):
        count += 1
        results = run(case.inputs)
        for name, value in outputs.items():
            absolute, relative, within = _difference(value, results[name], tolerance)
            found.setdefault(name, []).append((not within, absolute, relative, case.label))
    return [
        Parity(
            reference,
            candidate,
            name,
            count,
            max_abs_diff=max(absolute for _, absolute, _, _ in rows),
            max_rel_diff=max(relative for _, _, relative, _ in rows),
            atol=tolerance.atol,
            rtol=tolerance.rtol,
            passed=not any(failed for failed, *_ in rows),
            worst_case=max(rows)[-1],  # a failure rather than a larger difference that was allowed
        )
        for name, rows in found.items()
    ]


def _difference(expected: np.ndarray, received: np.ndarray, tolerance: Tolerance) -> tuple[float, float, bool]:
    """Largest absolute and relative difference, and whether all is within the tolerance. NaN equals NaN only."""
    if expected.shape != received.shape:
        return _FAR, _FAR, False
    a, b = np.asarray(expected, "float64"), np.asarray(received, "float64")
    both_nan, same = np.isnan(a) & np.isnan(b), a == b  # infinities too
    with np.errstate(invalid="ignore"):  # of infinities
        difference = np.where(both_nan | same, 0.0, np.abs(a - b))
    difference = np.nan_to_num(difference, nan=_FAR, posinf=_FAR)
    magnitude = np.nan_to_num(np.abs(a), posinf=0.0)
    scale = max(float(np.max(magnitude, initial=0.0)), float(np.finfo("float32").tiny))
    largest = float(np.max(difference, initial=0.0))
    return largest, largest / scale, bool(np.all(difference <= tolerance.atol + tolerance.rtol * magnitude))


def check_parity(results: list[Parity]) -> None:
    """Raises one error that lists everything that differs.

    Raises:
        ParityError: At least one comparison did not pass.
    """
    failed = [result for result in results if not result.passed]
    if failed:
        lines = "\n".join(f"  {result}" for result in failed)
        raise ParityError(
            f"{len(failed)} of {len(results)} comparisons with the Keras model differ:\n{lines}\n"
            "If differences of this size are expected (a long or chaotic recurrence), pass a wider `tolerance`.",
            results,
        )
