"""Runs candidates on the same inputs: how long each takes, and how far its answers are from the bundle's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_seq.cli.candidates import PREDICTOR, Run, not_possible
from keras_seq.cli.timing import measure
from keras_seq.export.battery import random_inputs
from keras_seq.serving.tensor_spec import TensorSpec


def compare_candidates(
    candidates: Mapping[str, Run],
    inputs: Sequence[TensorSpec],
    batches: Sequence[int],
    times: Sequence[int],
    rounds: int,
    say: Callable[[str], None],
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Times every candidate at every size.

    Args:
        candidates: Functions of named arrays; the bundle's own predictor is among them.
        inputs: What the model takes.
        batches: Batch sizes.
        times: Numbers of time steps; for a model without a dynamic time axis only batches are tried.
        rounds: Blocks of calls for each candidate.
        say: Takes lines about progress.

    Returns:
        One object a size and candidate: `batch`, `time` (None without a time axis), `name`, `median_seconds`,
        `p10_seconds`, `calls`, `ratio` (median over the predictor's), `max_abs_diff`; and the reason for each candidate
        that failed at some size.
    """
    has_time = any("time" in spec.shape for spec in inputs)
    rows: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    for batch in batches:
        for time in times if has_time else [None]:
            say(f"timing batch {batch}" + (f", time {time}" if has_time else ""))
            values = random_inputs(inputs, np.random.default_rng(0), batch, time or 1)
            expected = candidates[PREDICTOR](values)
            differences = {}
            for name, run in candidates.items():
                try:
                    differences[name] = _largest_difference(expected, run(values))
                except Exception as error:  # noqa: BLE001  Whatever an opponent fails at is told in its place.
                    failed[f"{name}, batch {batch}" + (f", time {time}" if has_time else "")] = not_possible(error)
            timings = measure(
                {name: lambda run=candidates[name]: run(values) for name in differences},  # noqa: B023  run at once
                rounds=rounds,
            )
            base = timings[PREDICTOR].median_seconds
            rows += [
                {
                    "batch": batch,
                    "time": time,
                    "name": name,
                    "median_seconds": timing.median_seconds,
                    "p10_seconds": timing.p10_seconds,
                    "calls": timing.calls,
                    "ratio": timing.median_seconds / base,
                    "max_abs_diff": differences[name],
                }
                for name, timing in timings.items()
            ]
    return rows, failed


def _largest_difference(expected: Mapping[str, np.ndarray], received: Mapping[str, np.ndarray]) -> float:
    """The largest absolute difference over all outputs.

    Raises:
        ValueError: An output is missing or has another shape.
    """
    largest = 0.0
    for name, value in expected.items():
        if name not in received or received[name].shape != value.shape:
            got = received[name].shape if name in received else f"outputs {sorted(received)}"
            raise ValueError(f"output {name!r} should have shape {value.shape}. Received: {got}.")
        difference = np.abs(np.asarray(value, "float64") - np.asarray(received[name], "float64"))
        largest = max(largest, float(np.max(np.nan_to_num(difference, nan=np.inf), initial=0.0)))
    return float(min(largest, np.finfo("float32").max))  # JSON has no infinity
