"""Threads of ONNX Runtime where a program runs two sessions: pools of their own, how long they spin, or one pool.

    python benchmarks/thread_pools.py
    python benchmarks/thread_pools.py --quick

A GRU encoder of 20 steps, and one step of a GRU decoder with 4000 words to choose from, 256 units, batch 1. Each way to
have threads gets a process, since one pool for all sessions cannot be undone; the processes take turns, and each sleeps
before its turn. What is shown are ratios of one run, and processor time, which other programs hardly change.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from timing import markdown_table

from keras_seq.serving import share_threads
from keras_seq.serving.session import session_options

UNITS, WORDS, STEPS, TARGET = 256, 4000, 20, 40
OWN_SPINNING = "own pools, as ONNX Runtime has them"
OWN_SLEEPING = "own pools, asleep after 100 µs"
OWN_STOPPING = "own pools, asleep after the call"
ONE_POOL = "one pool: share_threads()"
ONE_THREAD = "one thread each: num_threads=1"
WAYS = (OWN_SLEEPING, OWN_SPINNING, OWN_STOPPING, ONE_POOL, ONE_THREAD)
IN_TURN, ONE, AT_ONCE, AFTER = "two in turn", "one alone", "two at once", "after a call"
BESIDE = "beside a neighbour"
CASES = (IN_TURN, ONE, AT_ONCE, AFTER)

# A program that computes without pause on one thread, and tells how far it got.
NEIGHBOUR = """
import sys, time
count, end = 0, time.perf_counter() + float(sys.argv[1])
while time.perf_counter() < end:
    count += sum(range(1000)) > 0
print(count)
"""


def graph(*, step: bool) -> bytes:
    """The encoder, or with `step` one step of the decoder: the likeliest of `WORDS`, and the next state."""
    rng = np.random.default_rng(0)
    shapes = {"W": (1, 3 * UNITS, UNITS), "R": (1, 3 * UNITS, UNITS), "B": (1, 6 * UNITS), "head": (UNITS, WORDS)}
    weights = {name: (0.05 * rng.normal(size=shape)).astype("float32") for name, shape in shapes.items()}
    state = ["", "h0"] if step else []
    nodes = [
        helper.make_node(
            "GRU", ["x", "W", "R", "B", *state], ["y", "h1"], hidden_size=UNITS, linear_before_reset=1, name="gru"
        )
    ]
    inputs, outputs = [("x", TensorProto.FLOAT, [None, 1, UNITS])], [("h1", TensorProto.FLOAT, [1, 1, UNITS])]
    if step:
        nodes += [
            helper.make_node("MatMul", ["h1", "head"], ["logits"]),
            helper.make_node("ArgMax", ["logits"], ["word"], axis=-1),
        ]
        inputs.append(("h0", TensorProto.FLOAT, [1, 1, UNITS]))
        outputs.append(("word", TensorProto.INT64, [1, 1, 1]))
    else:
        del weights["head"]
    made = helper.make_graph(
        nodes,
        "step" if step else "encoder",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return model.SerializeToString()


def options(way: str, threads: int) -> ort.SessionOptions:
    """The session options of one of `WAYS`."""
    if way == ONE_POOL:
        return session_options(None)
    if way in (OWN_SLEEPING, ONE_THREAD):
        return session_options(threads if way == OWN_SLEEPING else 1)
    plain = ort.SessionOptions()
    plain.intra_op_num_threads = threads
    if way == OWN_STOPPING:
        plain.add_session_config_entry("session.force_spinning_stop", "1")
    return plain


def work(way: str, threads: int) -> dict[str, Callable[[], object]]:
    """The cases, each as a function; made once sessions exist as `way` has them."""
    if way == ONE_POOL and not share_threads(threads):
        raise SystemExit(f"ONNX Runtime {ort.__version__} has no pool of threads to share.")
    encoder, step = (
        ort.InferenceSession(graph(step=is_step), options(way, threads), providers=["CPUExecutionProvider"])
        for is_step in (False, True)
    )
    rng = np.random.default_rng(1)
    source = rng.normal(size=(STEPS, 1, UNITS)).astype("float32")
    target = source[:1]
    zeros = np.zeros((1, 1, UNITS), "float32")
    callers = ThreadPoolExecutor(2)

    def decode(state: np.ndarray = zeros):
        for _ in range(TARGET):
            state, _ = step.run(None, {"x": target, "h0": state})

    def encode():
        for _ in range(TARGET // 4):
            encoder.run(None, {"x": source})

    return {
        IN_TURN: lambda: decode(encoder.run(None, {"x": source})[0]),
        ONE: decode,
        AT_ONCE: lambda: [call.result() for call in (callers.submit(encode), callers.submit(decode))],
        AFTER: decode,
    }


def serve(way: str, threads: int, seconds: float) -> None:
    """The process of one way: reads the name of a case, answers with the seconds of its calls, as JSON."""
    cases = work(way, threads)
    for line in sys.stdin:
        run = cases[line.strip()]
        for _ in range(3):
            run()
        if line.strip() == AFTER:
            start = time.process_time()
            time.sleep(0.25)
            answer = [time.process_time() - start]
        else:
            answer, end = [], time.perf_counter() + seconds
            while len(answer) < 5 or time.perf_counter() < end:
                start = time.perf_counter()
                run()
                answer.append(time.perf_counter() - start)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


@dataclass
class Worker:
    """The process of one way, and what it measured: seconds by case, and what a neighbour got done beside it."""

    process: subprocess.Popen
    samples: dict[str, list[float]] = field(default_factory=dict)
    neighbour: list[float] = field(default_factory=list)

    def measure(self, case: str, name: str | None = None) -> None:
        """Runs a case; its seconds go under `name`."""
        time.sleep(0.15)
        self.process.stdin.write(case + "\n")
        self.process.stdin.flush()
        self.samples.setdefault(name or case, []).extend(json.loads(self.process.stdout.readline()))


def neighbour(seconds: float) -> subprocess.Popen:
    """Starts the program that computes beside."""
    return subprocess.Popen([sys.executable, "-c", NEIGHBOUR, str(seconds)], stdout=subprocess.PIPE, text=True)


def table_row(way: str, worker: Worker, base: Worker, alone: list[float]) -> list[str]:
    """One way's figures; `alone` is what the neighbour gets done with nothing beside it."""
    cells = [way, f"{np.median(worker.samples[IN_TURN]) * 1e3:.1f}"]
    for case in (IN_TURN, ONE, AT_ONCE, BESIDE):
        taken, taken_by_base = worker.samples[case], base.samples[case]
        by_median = np.median(taken_by_base) / np.median(taken)
        by_p10 = np.percentile(taken_by_base, 10) / np.percentile(taken, 10)
        cells.append(f"{by_median:.2f} ({by_p10:.2f})")
    share = np.median(worker.neighbour) / np.median(alone)
    return [*cells, f"{share:.2f}", f"{np.median(worker.samples[AFTER]) * 1e3:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="threads for a call, the caller's included")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each way")
    parser.add_argument("--quick", action="store_true", help="one short turn each: does it run?")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)  # in the processes this one starts
    arguments = parser.parse_args()
    seconds = 0.05 if arguments.quick else 0.3
    if arguments.way:
        serve(arguments.way, arguments.threads, seconds)
        return

    workers = {}
    for way in WAYS:
        command = [sys.executable, __file__, "--way", way, "--threads", str(arguments.threads)]
        command += ["--quick"] * arguments.quick
        workers[way] = Worker(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    alone = []
    for _ in range(1 if arguments.quick else arguments.rounds):
        for case in CASES:
            for worker in workers.values():
                worker.measure(case)
        busy = 4 * seconds
        alone.append(float(neighbour(busy).communicate()[0]))
        for worker in workers.values():
            beside = neighbour(busy)
            worker.measure(IN_TURN, BESIDE)
            worker.neighbour.append(float(beside.communicate()[0]))
    for worker in workers.values():
        worker.process.stdin.close()
        worker.process.wait()

    rows = [table_row(way, worker, workers[OWN_SLEEPING], alone) for way, worker in workers.items()]
    print(f"{arguments.threads} threads, ONNX Runtime {ort.__version__}. Speed by median (by 10th percentile).\n")
    header = ["threads", "in turn, ms", "in turn", "one", "at once", "beside", "neighbour", "CPU ms after"]
    print(markdown_table(header, rows))


if __name__ == "__main__":
    main()
