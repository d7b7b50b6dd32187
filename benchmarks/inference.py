"""How fast an exported recurrent layer runs, beside every other way to run it: one table a size and layer.

    python benchmarks/inference.py [--quick] [--json FILE] [--only TEXT] [--rounds N]

All candidates have the same weights and inputs, and before any is timed its output is compared with Keras'. Speed
drifts on shared machines, so only the ratios of one run mean something; what decides about a target is the ratio of the
10th percentiles, which other tenants of the machine disturb least. docs/speed.md has a full run.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from timing import Timing, markdown_table, measure

SIZES = ((1, 1, 256, 512), (1, 50, 64, 128), (1, 100, 256, 512), (32, 100, 256, 512))
KINDS = ("LSTM", "GRU", "PeepholeLSTM", "Bidirectional LSTM", "Bidirectional GRU")
TOLERANCE = 1e-4  # in float32 over 100 steps; outputs are at most 1


@dataclass(frozen=True)
class Target:
    """A ratio to reach: how many times as long as the bundle's session the opponent must take, at least."""

    opponent: str
    at_least: float

    def verdict(self, timings: dict[str, Timing]) -> dict | None:
        """What was reached; None where the opponent was not timed."""
        from inference_candidates import SESSION

        if self.opponent not in timings:
            return None
        ratio = timings[self.opponent].p10_seconds / timings[SESSION].p10_seconds
        return {**asdict(self), "reached": ratio, "met": ratio >= self.at_least}


def targets(case) -> list[Target]:
    """The targets of one case, of those that the project has set itself."""
    from inference_candidates import KERAS_ONNX, OPENVINO, OPENVINO_FIXED, PLAIN_LSTM, TORCH

    never_slower = 1 / 1.1
    if case.cell == "PeepholeLSTM":
        return [Target(PLAIN_LSTM, 1 / 1.15)]
    long = case.time > 1  # one step has no loop to save
    times_faster = 3.0 if long and (case.masked or case.cell == "GRU") else never_slower
    return [
        Target(KERAS_ONNX, times_faster),
        *(Target(opponent, never_slower) for opponent in (TORCH, OPENVINO, OPENVINO_FIXED)),
    ]


def run_case(case, threads: int, rounds: int) -> dict:
    """Prepares, checks and times the candidates of one case."""
    from inference_candidates import PLAIN_LSTM, TORCH, candidates, reason, reference

    expected = reference(case)
    with tempfile.TemporaryDirectory() as folder:
        ready, left_out = candidates(case, Path(folder), threads)
        differences = {}
        for name in list(ready):
            # What a masked step returns is Keras' own notion; PyTorch fills zeros in.
            where = case.mask[..., np.newaxis] if case.masked and name == TORCH else True
            try:
                answer = ready[name]()
            except Exception as error:  # noqa: BLE001  whatever an opponent fails at is told in its place
                left_out[name] = reason(error)
                del ready[name]
                continue
            differences[name] = float(np.max(np.abs(answer - expected), where=where, initial=0.0))
            if name != PLAIN_LSTM and not differences[name] <= TOLERANCE:  # that one is another layer
                left_out[name] = f"its output differs from Keras' by {differences.pop(name):.1e}."
                del ready[name]
        timings = measure(ready, rounds=rounds)
        ready.clear()
    verdicts = [target.verdict(timings) for target in targets(case)]
    return {
        "case": asdict(case),
        "candidates": [
            {"name": name, **asdict(timing), "max_abs_diff": differences[name]} for name, timing in timings.items()
        ],
        "left_out": left_out,
        "targets": [verdict for verdict in verdicts if verdict],
    }


def title(case: dict) -> str:
    size = f"({case['batch']}, {case['time']}, {case['features']}→{case['units']})"
    return f"{case['kind']} {size}, {'masked' if case['masked'] else 'no mask'}"


def print_result(result: dict) -> None:
    """One case as Markdown: the table, what was left out, the verdicts."""
    rows = result["candidates"]
    base = rows[0]
    print(f"\n### {title(result['case'])}\n")
    print(
        markdown_table(
            ["", "ms", "times as long", "by p10", "largest difference"],
            [
                [
                    row["name"],
                    f"{row['median_seconds'] * 1e3:.3g}",
                    f"{row['median_seconds'] / base['median_seconds']:.2f}",
                    f"{row['p10_seconds'] / base['p10_seconds']:.2f}",
                    f"{row['max_abs_diff']:.0e}",
                ]
                for row in rows
            ],
        )
    )
    print()
    for name, reason in result["left_out"].items():
        print(f"- {name} left out: {reason}")
    for target in result["targets"]:
        word = "PASS" if target["met"] else "MISS"
        print(f"- {word}: {target['opponent']} takes {target['reached']:.2f}, to reach {target['at_least']:.2f}")
    sys.stdout.flush()


def print_summary(results: list[dict]) -> None:
    """One line a case: the bundle's time, and each opponent's as a multiple of it by p10."""
    import inference_candidates as ways

    columns = {
        "Predictor": ways.PREDICTOR,
        "Keras": ways.KERAS,
        "SavedModel": ways.SAVED_MODEL,
        "Keras' ONNX": ways.KERAS_ONNX,
        "PyTorch": ways.TORCH,
        "OpenVINO": ways.OPENVINO,
        "fixed shape": ways.OPENVINO_FIXED,
        "plain LSTM": ways.PLAIN_LSTM,
    }
    rows = []
    for result in results:
        seconds = {row["name"]: row["p10_seconds"] for row in result["candidates"]}
        base = seconds[ways.SESSION]
        missed = {target["opponent"] for target in result["targets"] if not target["met"]}
        cells = [
            (f"{seconds[way] / base:.2f}" if way in seconds else "–") + (" ✗" if way in missed else "")
            for way in columns.values()
        ]
        rows.append([title(result["case"]), f"{base * 1e3:.3g}", *cells])
    print(
        "\n## Summary: the bundle's session in ms, the others in times as long as it; ✗ misses its target; all by p10\n"
    )
    print(markdown_table(["", "ms", *columns], rows))
    count = sum(len(result["targets"]) for result in results)
    missed = sum(not target["met"] for result in results for target in result["targets"])
    print(f"\n{count - missed} of {count} targets met.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one small size, few rounds: does it run?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE as well")
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases with TEXT in their title")
    parser.add_argument("--rounds", type=int, help="blocks of calls of each candidate, taken in turn")
    parser.add_argument("--threads", type=int, help="for every candidate; by default as many as the process may use")
    arguments = parser.parse_args()

    from keras_seq.serving.cpu_quota import cpu_quota

    threads = arguments.threads or cpu_quota()
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)  # read when TensorFlow first runs something
    from inference_candidates import Case

    sizes = ((1, 50, 64, 128),) if arguments.quick else SIZES
    rounds = arguments.rounds or (2 if arguments.quick else 9)
    cases = [Case(kind, *size, masked) for size in sizes for masked in (False, True) for kind in KINDS]
    results = []
    for case in cases:
        if arguments.only not in title(asdict(case)):
            continue
        results.append(run_case(case, threads, rounds))
        print_result(results[-1])
    if not results:
        parser.error(f"no case has {arguments.only!r} in its title; a title is such as {title(asdict(cases[0]))!r}")
    print_summary(results)
    if arguments.json:
        figures = {"threads": threads, "rounds": rounds, "results": results}
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
