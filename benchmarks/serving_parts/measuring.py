"""One measurement: the load generator started against a server, and its figures."""

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from serving_parts.questions import Question, wrong_answers
from serving_parts.servers import Server

LOAD = Path(__file__).with_name("load.py")
SHED = 429


@dataclass(frozen=True)
class Figures:
    """What one measurement found.

    Attributes:
        per_second: Right answers a second.
        p50_seconds: From when the request was due to the whole answer.
        p95_seconds: Likewise.
        p99_seconds: Likewise.
        late_seconds: 99th percentile of how late the load generator sent what was due, the wait for a free connection
            included.
        server_cpu_seconds: Processor time of the server and all its processes, a request.
        load_cpu_seconds: Processor time of the load generator, a request.
        load_cores: Processors that the load generator kept busy.
        shed: Requests answered with 429.
        failed: Requests answered with another status than 200, or not at all.
        wrong: Answers that are not the right ones.
        max_abs_diff: The largest difference between a right answer and that of the row alone.
    """

    per_second: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    late_seconds: float
    server_cpu_seconds: float
    load_cpu_seconds: float
    load_cores: float
    shed: int
    failed: int
    wrong: int
    max_abs_diff: float


def measure_load(server: Server, questions: Sequence[Question], form, *, seconds: float, seed: int, **mode) -> Figures:
    """Runs the load generator in a process of its own.

    Args:
        server: Where to.
        questions: What to ask.
        form: How questions and answers travel.
        seconds: How long to measure, after a while that does not count.
        seed: Of the order of the questions and of arrivals.
        **mode: `concurrency=32` for a closed loop, `rate=800.0` for an open one.
    """
    order = {
        "host": "127.0.0.1",
        "port": server.port,
        "server_pid": server.pid,
        "requests": [form.request(question) for question in questions],
        "warm_seconds": min(1.0, seconds / 3),
        "seconds": seconds,
        "seed": seed,
        "connections": 256,
        **mode,
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("order", "result")]
        paths[0].write_bytes(pickle.dumps(order))
        subprocess.run([sys.executable, str(LOAD), *map(str, paths)], check=True)
        result = pickle.loads(paths[1].read_bytes())
    return figures_of(result, questions, form)


@dataclass(frozen=True)
class Batches:
    """The calls that our server made of the graph.

    Attributes:
        calls: How many.
        rows_in_all: Their rows.
        tokens: Steps of the rows, without padding.
        padded_tokens: With.
    """

    calls: float
    rows_in_all: float
    tokens: float
    padded_tokens: float

    def __sub__(self, other: "Batches") -> "Batches":
        return Batches(*(mine - theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    @property
    def rows(self) -> float:
        """Rows of a call, on average."""
        return self.rows_in_all / max(self.calls, 1)

    @property
    def padding(self) -> float:
        """Share of the steps computed that is padding."""
        return 1 - self.tokens / max(self.padded_tokens, 1)


_BATCH_METRICS = ("batch_rows_count", "batch_rows_sum", "tokens_total", "padded_tokens_total")


def batches_so_far(server: Server) -> Batches:
    """What the server says of its calls at `/metrics`, all models together."""
    _, body = server.get("/metrics")
    lines = [line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#")]
    return Batches(
        *(
            sum(float(value) for name, value in lines if name.partition("{")[0] == f"keras_seq_{metric}")
            for metric in _BATCH_METRICS
        )
    )


def figures_of(result: dict, questions: Sequence[Question], form) -> Figures:
    """What a result of the load generator says.

    Args:
        result: The window of time that counts, and an entry for each request.
        questions: What was asked.
        form: How questions and answers travelled.
    """
    statuses, done, due, sent = (np.array(result[name]) for name in ("statuses", "done", "due", "sent"))
    right = np.flatnonzero(statuses == 200)
    wrong, largest = wrong_answers(
        form, questions, [result["indices"][i] for i in right], [result["bodies"][i] for i in right]
    )
    start, end = result["window"]
    inside = (done >= start) & (done < end)
    answered = inside & (statuses == 200)
    if not answered.any():
        raise SystemExit(f"The server answered nothing. Statuses: {sorted(set(statuses.tolist()))}.")
    count = int(answered.sum())
    latency = (done - due)[answered]
    p50, p95, p99 = np.percentile(latency, [50, 95, 99])
    return Figures(
        per_second=count / (end - start),
        p50_seconds=p50,
        p95_seconds=p95,
        p99_seconds=p99,
        late_seconds=float(np.percentile((sent - due)[answered], 99)),
        server_cpu_seconds=result["server_cpu"] / int(inside.sum()),
        load_cpu_seconds=result["own_cpu"] / int(inside.sum()),
        load_cores=result["own_cpu"] / (end - start),
        shed=int((statuses == SHED).sum()),
        failed=int(((statuses != 200) & (statuses != SHED)).sum()) + result["broken"],
        wrong=wrong,
        max_abs_diff=largest,
    )
