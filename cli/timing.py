"""Timing of several ways to compute the same thing, side by side in one run.

The machines that run this are shared and their speed drifts, so a figure means something only beside another one of
the same run. `measure` therefore runs the candidates in blocks, in turn, and what is shown are ratios.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """How long one call of a candidate took.

    Attributes:
        median_seconds: The median over all calls.
        p10_seconds: The 10th percentile: the quiet machine. Another tenant of the host can slow a core by half, unseen.
        calls: How many calls were timed.
        cpu_seconds: The processor time of a call, summed over all threads of the process: the median. Other processes
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
        candidates: Functions of no arguments, by name; each returns when its work is done.
        rounds: How many blocks each candidate gets.
        block_seconds: How long a block lasts, at least; at least three calls are made.
        idle_seconds: The sleep before each block.
        warm_calls: Calls of each candidate before the first block.

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
