"""Timing for the benchmarks: candidates side by side in one run, and the result as a Markdown table.

The machines that run these are shared and their speed drifts, so a figure means something only beside another one of
the same run. `measure` therefore runs the candidates in blocks, round-robin, and every table shows ratios.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """How long one call of a candidate took.

    Attributes:
        median_seconds: the median over all calls.
        p10_seconds: the 10th percentile: the quiet machine. Another tenant of the host can slow a core by half, unseen.
        calls: how many calls were timed.
        cpu_seconds: the processor time of a call, summed over all threads of the process: the median. Other processes
            hardly change it; with several threads it includes what waiting workers spin.
    """

    median_seconds: float
    p10_seconds: float
    calls: int
    cpu_seconds: float


def measure(
    candidates: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 5,
    block_seconds: float = 0.12,
    idle_seconds: float = 0.15,
    warm_calls: int = 3,
) -> dict[str, Timing]:
    """Times each candidate, in blocks of calls taken in turn.

    Thread pools (of ONNX Runtime, OpenMP, OpenBLAS) spin for up to 100 ms after their last job. On few cores the
    spinning workers of one candidate take a core from the next one, so the process sleeps before each block, and the
    first calls of a block are not counted.

    Args:
        candidates: functions of no arguments, by name; each returns when its work is done.
        rounds: how many blocks each candidate gets.
        block_seconds: how long a block lasts, at least; at least three calls are made.
        idle_seconds: the sleep before each block.
        warm_calls: calls of each candidate before the first block.

    Returns:
        The timings by name, in the order of `candidates`.

    Example:

    >>> timings = measure({"sum": lambda: sum(range(100))}, rounds=1, block_seconds=0.0, idle_seconds=0.0)
    >>> timings["sum"].calls
    3
    """
    for run in candidates.values():
        for _ in range(warm_calls):
            run()
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            time.sleep(idle_seconds)
            run()
            run()
            block_start, calls = time.perf_counter(), 0
            while calls < 3 or time.perf_counter() - block_start < block_seconds:
                start, cpu_start = time.perf_counter(), time.process_time()
                run()
                samples[name].append((time.perf_counter() - start, time.process_time() - cpu_start))
                calls += 1
    timings = {}
    for name, taken in samples.items():
        seconds, cpu_seconds = np.transpose(taken)
        timings[name] = Timing(
            float(np.median(seconds)), float(np.percentile(seconds, 10)), len(taken), float(np.median(cpu_seconds))
        )
    return timings


def speed_rows(timings: Mapping[str, Timing], base: str) -> list[list[str]]:
    """One row for each candidate: name, milliseconds, and how many times as fast as `base` by median and by p10.

    Raises:
        ValueError: where `base` is not one of the candidates.
    """
    if base not in timings:
        raise ValueError(f"`base` must name a candidate, one of {sorted(timings)}. Received: base={base!r}.")
    return [
        [
            name,
            f"{timing.median_seconds * 1e3:#.3g}".rstrip(".")
            if timing.median_seconds < 1
            else f"{timing.median_seconds * 1e3:.0f}",
            f"{timings[base].median_seconds / timing.median_seconds:.2f}",
            f"{timings[base].p10_seconds / timing.p10_seconds:.2f}",
        ]
        for name, timing in timings.items()
    ]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its columns padded to one width each; every column but the first is aligned to the right.

    Example:

    >>> print(markdown_table(["layer", "ms"], [["LSTM", "41.2"], ["GRU", "9"]]))
    | layer |   ms |
    | :---- | ---: |
    | LSTM  | 41.2 |
    | GRU   |    9 |
    """
    rows = [list(row) for row in rows]
    widths = [max(3, *(len(row[column]) for row in [header, *rows])) for column in range(len(header))]
    rules = [
        ":" + "-" * (widths[0] - 1),
        *("-" * (width - 1) + ":" for width in widths[1:]),
    ]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    return "\n".join(line(cells) for cells in [header, rules, *rows])
