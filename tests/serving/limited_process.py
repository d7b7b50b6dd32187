"""Runs a bundle in a process of its own that may have only so much memory."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

# The limit is set before anything is loaded. It counts what the process reserves, used or not, libraries included.
_CODE = """
import json, resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
import numpy as np
from keras_seq.serving import Bundle, Predictor
with Predictor(Bundle.load(sys.argv[2], check_files=False), variant=sys.argv[3], num_threads=1) as predictor:
    inputs = {name: np.asarray(value, predictor_input.dtype) for predictor_input in predictor.inputs
              for name, value in json.loads(sys.argv[4]).items() if name == predictor_input.name}
    answers = {name: value.tolist() for name, value in predictor.predict(inputs).items()}
with open("/proc/self/status") as file:
    status = dict(line.split(":", 1) for line in file)
sizes = {name: int(status[name].split()[0]) * 1024 / 1e6 for name in ("VmPeak", "VmHWM")}
print(json.dumps({"answers": answers, "reserved_mb": sizes["VmPeak"], "resident_mb": sizes["VmHWM"]}))
"""


def predict_within(megabytes: int, bundle: Path, variant: str, inputs: dict[str, list]) -> dict:
    """What a fresh process answers with one thread and `megabytes` (of 10^6 bytes) of address space.

    Returns:
        `answers`, and the most that the process had: `reserved_mb` of address space, `resident_mb` in memory.

    Raises:
        AssertionError: The process did not get as far as an answer; the message says with how much, and how it ended.
    """
    command = [sys.executable, "-c", _CODE, str(megabytes * 10**6), str(bundle), variant, json.dumps(inputs)]
    # NumPy's BLAS, which the runtime does not use, would reserve 40 MB for each processor that the machine has.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    if done.returncode:
        how = f"exit code {done.returncode}"
        if done.returncode < 0:
            how = f"signal {signal.Signals(-done.returncode).name}"
        last = done.stderr.strip().splitlines()[-1:] or ["no word on stderr"]
        raise AssertionError(f"{megabytes} MB are too little for {bundle.name} ({variant}): {how}, {last[0]}")
    return json.loads(done.stdout.splitlines()[-1])
