"""What `session.run` alone gives, with nothing around it: the limit that a server works towards."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_seq.serving import Bundle
from keras_seq.serving.session import Session
from serving_parts.questions import Question

WINDOWS = (1, 2, 4, 8, 16)
"""Calls that are filled from one lot of rows sorted by length: the more, the less padding."""


@dataclass(frozen=True)
class RawFigures:
    """What ONNX Runtime does by itself.

    Attributes:
        per_second: Rows a second.
        p50_seconds: Of a call.
        cpu_seconds: Processor time a row.
        rows: Rows a call.
        padding: Share of the steps that are padding.
    """

    per_second: float
    p50_seconds: float
    cpu_seconds: float
    rows: int
    padding: float


class RawLimit:
    """The bundle's graph under the runtime's own session options.

    Args:
        bundle: The bundle.
        num_threads: ONNX Runtime's threads of a call.
        callers: Threads that call at the same time.
    """

    def __init__(self, bundle: Bundle, num_threads: int, callers: int):
        self._session = Session(bundle, "model", num_threads=num_threads)
        self._pads = {spec.name: spec.pad_value or 0 for spec in self._session.spec.inputs}
        self._callers = callers

    def measure(self, questions: Sequence[Question], rows: int, padding: float, seconds: float) -> RawFigures:
        """Calls with so many rows each, over and over.

        Args:
            questions: Where the rows come from.
            rows: Rows a call.
            padding: Share of padding to come near to.
            seconds: How long.
        """
        ways = (cut_into_calls(questions, rows, window) for window in WINDOWS)
        calls = min(ways, key=lambda calls: abs(share_of_padding(calls) - padding))
        feeds = [self._feeds(call) for call in calls]
        for feed in feeds[:8]:
            self._session.run(feed)
        done: list[list[tuple[int, float]]] = [[] for _ in range(self._callers)]
        cpu, start = time.process_time(), time.perf_counter()
        threads = [
            threading.Thread(target=self._call, args=(feeds, offset, start + seconds, done[offset]))
            for offset in range(self._callers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        calls_done = [one for part in done for one in part]
        total = sum(count for count, _ in calls_done)
        p50 = float(np.median([time_taken for _, time_taken in calls_done]))
        return RawFigures(total / wall, p50, cpu / total, rows, share_of_padding(calls))

    def _feeds(self, call: Sequence[Question]) -> dict[str, np.ndarray]:
        feeds, longest = {}, max(question.length for question in call)
        for name, fill in self._pads.items():
            values = [question.inputs[name][0] for question in call]
            feeds[name] = np.full((len(call), longest, *values[0].shape[1:]), fill, values[0].dtype)
            for row, value in zip(feeds[name], values, strict=True):
                row[: len(value)] = value
        return feeds

    def _call(self, feeds: list[dict], offset: int, end: float, done: list):
        position = offset * len(feeds) // self._callers
        before = time.perf_counter()
        while before < end:
            feed = feeds[position % len(feeds)]
            self._session.run(feed)
            position, after = position + 1, time.perf_counter()
            done.append((len(next(iter(feed.values()))), after - before))
            before = after


def cut_into_calls(questions: Sequence[Question], rows: int, window: int) -> list[list[Question]]:
    """The questions in calls of `rows`; those of `window` calls are sorted by length first."""
    calls, lot = [], rows * window
    for start in range(0, max(len(questions) - lot + 1, 1), lot):
        some = sorted(questions[start : start + lot], key=lambda question: question.length)
        calls += [some[i : i + rows] for i in range(0, len(some), rows)]
    return calls


def share_of_padding(calls: list[list[Question]]) -> float:
    """Share of the steps in these calls that would be padding."""
    tokens = sum(question.length for call in calls for question in call)
    return 1 - tokens / sum(len(call) * max(question.length for question in call) for call in calls)
