"""What it costs a process to start serving a bundle: seconds and memory, in fresh interpreters.

    python benchmarks/startup.py BUNDLE

To reach: under 1 s and under 200 MB in all, with neither Keras nor TensorFlow loaded. The first figures after a boot
also hold the time to read the libraries from disk.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from timing import markdown_table

MAX_SECONDS, MAX_MB = 1.0, 200.0
FRAMEWORKS = ("keras", "tensorflow", "jax", "torch", "onnx")

# Runs in a fresh interpreter. /proc tells what is resident now; the peak would hold what was freed on the way, too.
STAGES = """
import json, os, sys, time

def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

figures, start = {}, time.perf_counter()

def stage(name):
    figures[name] = (time.perf_counter() - start, resident_mb())

stage("Python alone")
import keras_seq.serving
stage("import keras_seq.serving")
from keras_seq.serving import Bundle, Predictor
stage("load NumPy and ONNX Runtime")
bundle = Bundle.load(sys.argv[1])
stage("read the bundle, check its files")
predictor = Predictor(bundle)
stage("load the graph: ready to predict")
print(json.dumps({"stages": figures, "modules": [name for name in sys.argv[2:] if name in sys.modules]}))
"""


def start_once(bundle: Path) -> dict:
    """Stage to (seconds since the start, MB resident), and which frameworks got loaded, of one fresh process."""
    command = [sys.executable, "-c", STAGES, str(bundle), *FRAMEWORKS]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    if done.returncode:
        raise SystemExit(f"The bundle could not be loaded:\n{done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="folder that export_model wrote")
    parser.add_argument("--processes", type=int, default=7, help="how many fresh processes to take the median of")
    arguments = parser.parse_args()

    runs = [start_once(arguments.bundle) for _ in range(arguments.processes)]
    stages = list(runs[0]["stages"])
    seconds, megabytes = np.median([[run["stages"][stage] for stage in stages] for run in runs], axis=0).T
    steps = np.diff(seconds, prepend=0.0)
    rows = [
        [stage, f"{step:.3f}", f"{total:.3f}", f"{size:.0f}"]
        for stage, step, total, size in zip(stages, steps, seconds, megabytes, strict=True)
    ]
    print(markdown_table(["stage", "s", "s in all", "MB resident"], rows))

    loaded = sorted({name for run in runs for name in run["modules"]})
    met = seconds[-1] < MAX_SECONDS and megabytes[-1] < MAX_MB and not loaded
    print(f"\nFrameworks loaded: {', '.join(loaded) or 'none'}.")
    print(f"Target (under {MAX_SECONDS:g} s, under {MAX_MB:g} MB, no framework): {'met' if met else 'MISSED'}.")


if __name__ == "__main__":
    main()
