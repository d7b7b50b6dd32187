"""What 8-bit and 16-bit weights do to size, answers and speed of trained models, beside what others make of them.

    python benchmarks/quantization.py [--data FOLDER] [--seconds 90] [--quick] [--json FILE] [--only TEXT]
    python benchmarks/quantization.py --crossovers       from what size on integers are faster, on random weights
    python benchmarks/quantization.py --threads 1 --processor-time       on a machine that is busy with other work

Four models: language models by character with LSTM(512) and GRU(512), an encoder that guesses hidden characters (256
features, 8 heads, 4 layers), and a translation model (GRU(256), Bahdanau attention, beam 4). Each is trained once for
`--seconds`, on the folder's `language_model/` and `translation/` or, without one, on Python's standard library and on
phrases that come with Babel; `--cache` keeps the weights. Each is exported with `quantize="int8"` and `"fp16"`, judged
on data it has not seen, and timed: float32, the variants, ONNX Runtime's `quantize_dynamic` of the same graph,
OpenVINO, and CTranslate2, on one thread and on two. Speed drifts on shared machines, so only the ratios of one run mean
something; what decides about a target is the ratio of the 10th percentiles, or that of the processor times.
docs/quantization.md has a full run.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from timing import markdown_table, measure

P10, PROCESSOR_TIME = "p10_seconds", "cpu_seconds"
NEVER_SLOWER = 1 / 1.05
"""How many times as fast as float32 a variant must be at least: two runs of one graph differ by as much."""
AT_LEAST = {
    ("LSTM", "1 x 100"): 3.0,
    ("LSTM", "16 x 100"): 3.0,
    ("GRU", "1 x 100"): 1.5,
    ("GRU", "16 x 100"): 2.3,
    ("encoder", "1 x 64"): 1.8,
    ("encoder", "16 x 64"): 1.8,
    ("translation", "1 x 40 tokens"): 1.6,
    ("translation", "16 x 40 tokens"): 1.6,
}
"""By model and case, how many times as fast as float32 int8 is to be; set on a processor with AMX."""


def run_subject(subject, folder: Path, threads: list[int], rounds: int, by: str = P10) -> dict:
    """Exports, judges and times one model; `by` says which of the figures of a `Timing` decides."""
    from quantization_parts.ways import Bundles, checked, ways

    bundles = Bundles(subject, folder)
    timed = []
    for count in threads:
        ready, left_out = ways(subject, bundles, count, folder)
        for case, inputs in subject.cases.items():
            good, differences = checked(ready, inputs, left_out)
            timings = measure(
                {name: lambda run=run, inputs=inputs: run(inputs) for name, run in good.items()},
                rounds=rounds,
                warm_calls=1,
            )
            timed.append(
                {
                    "case": case,
                    "threads": count,
                    "timings": {name: asdict(timing) for name, timing in timings.items()},
                    "differences": differences,
                    "left_out": dict(left_out),
                    "target": _target(subject.name, case, timings, by),
                }
            )
    return {
        "model": subject.title,
        "graph": subject.graph,
        "learnt_from": subject.learnt_from,
        "judged_by": subject.judged_by,
        "quantized": {name: report.quantization.to_dict() for name, report in bundles.reports.items()},
        "timed": timed,
        "by": by,
    }


def _target(name: str, case: str, timings: dict, by: str) -> dict:
    from quantization_parts.ways import FLOAT, INT8

    reached = getattr(timings[FLOAT], by) / getattr(timings[INT8], by)
    at_least = AT_LEAST.get((name, case), NEVER_SLOWER)
    return {"at_least": at_least, "reached": reached, "met": reached >= at_least}


def print_judged(results: list[dict]) -> None:
    """Sizes and answers, a row a variant."""
    rows = []
    for result in results:
        for variant, report in result["quantized"].items():
            size = report["sizes"][result["graph"]]
            score = next(row for row in report["metrics"] if row["graph"] == result["graph"])
            same = [row["agreement"] for row in report["accuracy"] if row["graph"] == result["graph"]]
            rows.append(
                [
                    f"{result['model']}, {variant}",
                    f"{size['float'] / 1e6:.2f}",
                    f"{size['quantized'] / size['float']:.3f}",
                    result["judged_by"],
                    f"{score['before']:.4f}",
                    f"{score['after']:.4f}",
                    f"{0 - score['drop']:+.2%}",
                    f"{same[0]:.2%}",
                    ", ".join(report["kept_float"]) or "none",
                ]
            )
    header = ["", "float32 MB", "size", "metric", "float32", "quantised", "change", "same answers", "kept in float32"]
    print("\n### Sizes and answers\n")
    print(markdown_table(header, rows))


def print_timed(result: dict) -> None:
    """Milliseconds of each case and way of one model, each with how many times as fast as float32 it is."""
    print(f"\n### {result['model']}, learnt from {result['learnt_from']}\n")
    names = list(dict.fromkeys(name for row in result["timed"] for name in row["timings"]))
    rows = []
    for row in result["timed"]:
        seconds = {name: timing[result["by"]] for name, timing in row["timings"].items()}
        base = next(iter(seconds.values()))
        cells = [
            f"{seconds[name] * 1e3:.3g} ({base / seconds[name]:.2f})" if name in seconds else "–" for name in names
        ]
        target = row["target"]
        verdict = f"{target['reached']:.2f} of {target['at_least']:.2f} {'✓' if target['met'] else '✗'}"
        rows.append([f"{row['case']}, {row['threads']} thr.", *cells, verdict])
    print(markdown_table(["ms (times as fast)", *names, "int8, target"], rows))
    reasons = {name: reason for row in result["timed"] for name, reason in row["left_out"].items()}
    print()
    for name, reason in reasons.items():
        print(f"- {name} left out: {reason}")
    sys.stdout.flush()


def print_crossings(found: list) -> None:
    """How many times as fast integers are, a row a size; bold where the exporter takes them."""
    print("\n### Integers in times as fast as floats; bold where the exporter takes them\n")
    for operator in dict.fromkeys(one.operator for one in found):
        own = [one for one in found if one.operator == operator]
        columns = list(dict.fromkeys((one.rows, one.threads) for one in own))
        cells = {(one.size, one.rows, one.threads): one for one in own}
        rows = [
            [f"{size:,}", *(_ratio(cells[size, *column]) for column in columns)]
            for size in dict.fromkeys(one.size for one in own)
        ]
        unit, noun = ("weights", "rows") if operator == "MatMul" else ("units", "batch")
        header = [f"{operator}, {unit}", *(f"{noun} {rows}, {threads} thr." for rows, threads in columns)]
        print(markdown_table(header, rows))
        print()
    broken = sum(not one.holds for one in found)
    print(f"The limits hold in {len(found) - broken} of {len(found)} cases.")


def _ratio(crossing) -> str:
    mark = "**" if crossing.above else ""
    return f"{mark}{crossing.ratio:.2f}{mark}{'' if crossing.holds else ' ✗'}"


def processor() -> str:
    """Which processor ran, and what it multiplies bytes with."""
    from keras_seq.export.quantization.instruction_set import instruction_set

    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{names[0] if names else platform.processor()}, {instruction_set()}, {os.cpu_count()} cores{load}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="corpora (default: what every machine has)")
    parser.add_argument("--seconds", type=float, help="how long to train each model (default: 90)")
    parser.add_argument(
        "--cache", type=Path, default=Path("out/quantization"), help="what keeps the weights (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="tiny models, few rounds: does it run?")
    parser.add_argument("--crossovers", action="store_true", help="time single operators of many sizes instead")
    parser.add_argument("--processor-time", action="store_true", help="let that decide, where the machine is busy")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE as well")
    parser.add_argument("--only", default="", metavar="TEXT", help="only models with TEXT in their name")
    parser.add_argument("--rounds", type=int, help="blocks of calls of each candidate, taken in turn")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of each way (default: 1 and 2)")
    arguments = parser.parse_args()

    figures: dict = {"processor": processor()}
    print(figures["processor"])
    rounds = arguments.rounds or (1 if arguments.quick else 7)
    by = PROCESSOR_TIME if arguments.processor_time else P10
    if arguments.crossovers:
        from quantization_parts.crossovers import crossings

        picked = (lambda sizes: sizes[:2]) if arguments.quick else (lambda sizes: sizes)
        found = list(crossings(arguments.threads, rounds, by, picked))
        print_crossings(found)
        figures["crossings"] = [asdict(one) | {"ratio": one.ratio, "holds": one.holds} for one in found]
    else:
        figures["results"] = run_models(arguments, rounds, by, parser)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def run_models(arguments: argparse.Namespace, rounds: int, by: str, parser: argparse.ArgumentParser) -> list[dict]:
    """Does all that is asked about the trained models, and prints it."""
    from quantization_parts.models import NAMES, Setting, subject

    names = [name for name in NAMES if arguments.only in name]
    if not names:
        parser.error(f"no model has {arguments.only!r} in its name; there are {', '.join(NAMES)}")
    quick = {"seconds": 2.0, "units": 32, "features": 24, "heads": 2, "layers": 1, "translation_units": 24}
    quick |= {"characters": 20_000, "pairs": 400, "steps": 11, "judged": 16}
    setting = Setting(arguments.data, **(quick if arguments.quick else {}))
    if arguments.seconds:
        setting = Setting(**(asdict(setting) | {"seconds": arguments.seconds}))
    results = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            trained = subject(name, setting, arguments.cache)
            results.append(run_subject(trained, Path(folder), arguments.threads, rounds, by))
        print_judged(results[-1:])
        print_timed(results[-1])
    targets = [row["target"] for result in results for row in result["timed"]]
    print(f"\n{sum(target['met'] for target in targets)} of {len(targets)} targets met ({processor()}).")
    return results


if __name__ == "__main__":
    main()
