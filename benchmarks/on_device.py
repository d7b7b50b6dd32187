"""What each file of a bundle costs a small device: size, start, peak memory and milliseconds per call, on one thread.

    python benchmarks/on_device.py [BUNDLE ...] [--processes 7] [--time 50] [--json FILE]

Without bundles it exports four models of fixed sizes first, untrained (on_device_models.py). Every figure is the median
of fresh processes, those of the files in turn. `startup.py` tells in which stage of a start the time goes. To reach: an
answer under 200 MB.

Milliseconds are processor time, of a start of the whole process from its first instruction on: what a clock shows where
nothing else runs and the files have been read before. Another program on the machine hardly changes them.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from timing import markdown_table

from keras_seq.serving import Bundle
from keras_seq.serving.graph_spec import GraphSpec

# The models that are made here, and how the table calls them.
TITLES = {
    "tagger": "tagger, LSTM(512)",
    "classifier": "classifier, GRU(128)",
    "translator": "translator, GRU(256) and attention, beam of 4, 40 tokens",
    "encoder": "transformer encoder, 4 x 256",
}
MAX_MB = 200.0
AGREE = 1e-4  # float files of the same graph; scores of beams are the largest numbers

# Runs in a fresh interpreter, whose processor time has begun to count before anything is imported.
ONCE = """
import json, sys, time
import numpy as np
from keras_seq.serving import Bundle
from keras_seq.serving.session import Session
folder, graph, variant, given = sys.argv[1], sys.argv[2], sys.argv[3] or None, np.load(sys.argv[4])
feeds = {name: given[name] for name in given.files}
bundle = Bundle.load(folder, check_files=False)
before = time.process_time()
session = Session(bundle, graph, variant=variant, num_threads=1)
ready = time.process_time()
answer = session.run(feeds)
first = time.process_time()
with open("/proc/self/status") as file:
    peak = next(int(line.split()[1]) * 1024 / 1e6 for line in file if line.startswith("VmHWM"))
seconds = []
while len(seconds) < 20 or sum(seconds) < 0.5:
    begin = time.thread_time()
    session.run(feeds)
    seconds.append(time.thread_time() - begin)
sums = {name: float(np.abs(np.nan_to_num(value.astype("float64"))).sum()) for name, value in answer.items()}
print(json.dumps({"session_ms": (ready - before) * 1e3, "answer_ms": first * 1e3, "peak_mb": peak,
                  "call_ms": float(np.median(seconds)) * 1e3, "sums": sums}))
"""


def graph_of(bundle: Bundle) -> str:
    """The graph that does the bundle's work."""
    return "generate" if "generate" in bundle.manifest.graphs else "model"


def feeds_of(graph: GraphSpec, time: int) -> dict[str, np.ndarray]:
    """One row of random inputs."""
    rng = np.random.default_rng(3)
    sizes = {"batch": 1, "time": min(time, graph.limits.get("time", time))}
    feeds = {}
    for spec in graph.inputs:
        shape = [dim if isinstance(dim, int) else sizes.get(dim, 3) for dim in spec.shape]
        if spec.dtype == "bool":
            feeds[spec.name] = np.ones(shape, bool)
        elif np.issubdtype(spec.dtype, np.integer):
            feeds[spec.name] = rng.integers(1, (spec.maximum or 9) + 1, shape).astype(spec.dtype)
        else:
            feeds[spec.name] = rng.normal(size=shape).astype(spec.dtype)
    return feeds


def run_once(bundle: Bundle, graph: str, variant: str | None, inputs: Path) -> dict:
    command = [sys.executable, "-c", ONCE, str(bundle.path), graph, variant or "", str(inputs)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # of NumPy, which a device has no use for
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{bundle.path}, {graph}, {variant or 'float'} could not be run:\n{done.stderr}")
    return json.loads(done.stdout)


def measure_bundle(bundle: Bundle, time: int, processes: int) -> list[dict]:
    """One record a file of the bundle's main graph, `.onnx` files before the `.ort` files made of them."""
    name = graph_of(bundle)
    spec = bundle.graph(name)
    variants = sorted([None, *spec.variants], key=lambda v: ((v or "").removesuffix("ort").rstrip("."), v or ""))
    runs: dict[str | None, list[dict]] = {variant: [] for variant in variants}
    with tempfile.TemporaryDirectory() as scratch:
        inputs = Path(scratch) / "inputs.npz"
        np.savez(inputs, **feeds_of(spec, time))
        for _ in range(processes):
            for variant in variants:
                runs[variant].append(run_once(bundle, name, variant, inputs))
    records = []
    for variant in variants:
        file = bundle.file(spec.of_variant(variant).file)
        source = (variant or "").removesuffix("ort").rstrip(".") or None
        figures = {
            key: float(np.median([run[key] for run in runs[variant]])) for key in runs[variant][0] if key != "sums"
        }
        sums, expected = runs[variant][0]["sums"], runs[source][0]["sums"]
        if any(abs(sums[key] - expected[key]) > AGREE * max(1.0, abs(expected[key])) for key in sums):
            raise SystemExit(f"{file} answers {sums}, but the file it was made of {expected}.")
        size, packed = file.stat().st_size, len(gzip.compress(file.read_bytes(), 9))
        ratio = float(
            np.median([a["call_ms"] / b["call_ms"] for a, b in zip(runs[variant], runs[source], strict=True)])
        )
        records.append({"file": file.name, "bytes": size, "gzip_bytes": packed, **figures, "to_onnx": ratio})
    return records


def print_table(title: str, records: list[dict]) -> None:
    rows = [
        [
            record["file"],
            f"{record['bytes'] / 1e6:.2f}",
            f"{record['gzip_bytes'] / 1e6:.2f}",
            f"{record['session_ms']:.1f}",
            f"{record['answer_ms']:.0f}",
            f"{record['peak_mb']:.0f}",
            f"{record['call_ms']:.3g}",
            f"{record['to_onnx']:.2f}" if record["file"].endswith(".ort") else "",
        ]
        for record in records
    ]
    header = ["file", "MB", "MB, gzip", "session, ms", "first answer, ms", "peak, MB", "call, ms", "to .onnx"]
    print(f"{title}\n\n{markdown_table(header, rows)}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", type=Path, nargs="*", help="folders that export_model wrote")
    parser.add_argument("--processes", type=int, default=7, help="how many fresh processes to take the median of")
    parser.add_argument("--time", type=int, default=50, help="steps of the input")
    parser.add_argument("--json", type=Path, help="write all figures there")
    arguments = parser.parse_args()

    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        titles = {str(path): path for path in arguments.bundles}
        if not titles:
            export = (
                "import pathlib, sys; from on_device_models import export_all; export_all(pathlib.Path(sys.argv[1]))"
            )
            subprocess.run([sys.executable, "-c", export, scratch], cwd=Path(__file__).parent, check=True)
            titles = {title: Path(scratch) / name for name, title in TITLES.items()}
        for title, path in titles.items():
            results[title] = measure_bundle(Bundle.load(path), arguments.time, arguments.processes)
            print_table(title, results[title])
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    largest = max(record["peak_mb"] for records in results.values() for record in records)
    print(f"Largest peak: {largest:.0f} MB. Target (under {MAX_MB:g} MB): {'met' if largest < MAX_MB else 'MISSED'}.")


if __name__ == "__main__":
    main()
