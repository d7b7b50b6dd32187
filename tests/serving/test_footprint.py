"""What the runtime costs a process: what it imports, and how memory behaves under ever new shapes."""

import json
import subprocess
import sys

import pytest

FORBIDDEN = ("keras", "tensorflow", "jax", "torch", "onnx", "tf2onnx", "keras_seq.export", "keras_seq.recurrent")


def _run(code: str, *arguments: object) -> dict:
    """Run `code` in a fresh interpreter; its last line of output is JSON."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_fresh_interpreter_predicts_and_streams_without_any_framework(masked_path):
    code = """
import json, sys
import keras_seq.serving
early = sorted(sys.modules)
from keras_seq.serving import Predictor, Stream
inputs = {"words": [[4, 8]], "shapes": [[[1, 2, 3], [4, 5, 6]]]}
with Predictor(sys.argv[1]) as predictor, Stream(sys.argv[1]) as stream:
    same = abs(predictor.predict(inputs)["tags"][0] - stream.feed(inputs)["tags"][0]).max() < 1e-6
print(json.dumps({"early": early, "late": sorted(sys.modules), "same": bool(same)}))
"""
    found = _run(code, masked_path)
    assert found["same"]
    assert [name for name in FORBIDDEN if name in found["late"]] == []
    assert [name for name in ("numpy", "onnxruntime") if name in found["early"]] == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the resident set from /proc")
def test_memory_stays_bounded_under_random_shapes_and_returns_after_a_huge_call(masked_path):
    code = """
import json, os, sys
import numpy as np
from keras_seq.serving import Predictor

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

predictor = Predictor(sys.argv[1], num_threads=2)
rng = np.random.default_rng(0)

def call(batch, time):
    predictor.predict({"words": np.ones((batch, time), "int32"), "shapes": np.ones((batch, time, 3), "float32")})

def soak(calls):
    for _ in range(calls):
        call(*rng.integers(1, 65, size=2))

soak(200)
warm = resident_mb()
soak(1500)
soaked = resident_mb()
call(2048, 256)
huge = resident_mb()
soak(40)
print(json.dumps({"soak": soaked - warm, "huge": huge - soaked, "after": resident_mb() - soaked}))
"""
    grown = _run(code, masked_path)
    assert grown["soak"] < 20, grown
    assert grown["huge"] > 30, grown  # else the next line shows nothing
    assert grown["after"] < 20, grown
