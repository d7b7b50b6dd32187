"""One pool of threads for a process: who uses it, what it forbids. It cannot be undone, so each case has a process."""

import json
import subprocess
import sys

import onnxruntime
import pytest

from keras_seq.serving import ServingError, share_threads

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc, and forks")
CAN_SHARE = pytest.mark.skipif(
    not hasattr(onnxruntime, "set_global_thread_pool_sizes"), reason="this ONNX Runtime cannot share threads"
)

PRELUDE = """
import json, os, sys
import numpy as np
import onnxruntime as ort
from keras_seq.serving import Predictor, ServingError, Stream, share_threads

path = sys.argv[1]
inputs = {"words": [[4, 8]], "shapes": [[[1, 2, 3], [4, 5, 6]]]}

def threads():
    return len(os.listdir("/proc/self/task"))

def error(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except Exception as caught:
        return f"{type(caught).__name__}: {caught}"
"""


def _run(code, *arguments):
    """Run `code` in a fresh interpreter; all it prints is one line of JSON."""
    command = [sys.executable, "-c", PRELUDE + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@LINUX
@CAN_SHARE
def test_all_sessions_of_a_process_share_the_pool_and_give_the_same_answers(masked_path):
    found = _run(
        """
from concurrent.futures import ThreadPoolExecutor
with Predictor(path, num_threads=1) as predictor:
    expected = predictor.predict(inputs)["tags"][0]
with ThreadPoolExecutor(7) as pool:
    shared = list(pool.map(lambda _: share_threads(3), range(7)))
before = threads()
predictors = [Predictor(path) for _ in range(5)] + [Predictor(path, num_threads=3)]
stream = Stream(path)
answers = [predictor.predict(inputs)["tags"][0] for predictor in predictors] + [stream.feed(inputs)["tags"][0]]
print(json.dumps({
    "shared": shared,
    "more_threads": threads() - before,
    "same": all(np.allclose(answer, expected, atol=1e-6) for answer in answers),
    "repr": repr(predictors[0]),
    "again": [share_threads(), share_threads(3)],
    "resized": error(share_threads, 2),
    "own": error(Predictor, path, num_threads=1),
    "foreign": error(ort.InferenceSession, path + "/model.onnx", providers=["CPUExecutionProvider"], enable_fallback=0),
}))
""",
        masked_path,
    )
    assert found["shared"] == [True] * 7
    assert found["more_threads"] <= 0  # less where a thread of the executor had not quite ended before
    assert found["same"]
    assert found["repr"].endswith(", 3 shared threads>")
    assert found["again"] == [True, True]
    assert "ServingError: The sessions of this process share a pool of 3 threads already" in found["resized"]
    assert "ServingError: `num_threads` must be left out" in found["own"]
    assert "(here of 3)" in found["own"]
    assert "Received: 1." in found["own"]
    assert "use_per_session_threads must be false" in found["foreign"]  # why nothing is shared unless asked for


@LINUX
@CAN_SHARE
def test_without_it_each_session_has_threads_of_its_own(masked_path):
    found = _run(
        """
first = Predictor(path, num_threads=3)
before = threads()
rest = [Predictor(path, num_threads=3) for _ in range(5)]
print(json.dumps(threads() - before))
""",
        masked_path,
    )
    assert found == 5 * 2


@CAN_SHARE
def test_a_pool_that_another_library_made_is_used(masked_path):
    found = _run(
        """
ort.set_global_thread_pool_sizes(2, 1)
too_late = error(share_threads)
predictor = Predictor(path)
predictor.predict(inputs)
print(json.dumps({
    "too_late": too_late,
    "repr": repr(predictor),
    "now": share_threads(),
    "resized": error(share_threads, 2),
    "own": error(Predictor, path, num_threads=1),
    "damaged": error(Predictor, sys.argv[2]),
}))
""",
        masked_path,
        masked_path / "nowhere",
    )
    assert "made no pool of threads to share" in found["too_late"]
    assert "Call share_threads() once" in found["too_late"]
    assert found["repr"].endswith(", unknown shared threads>")
    assert found["now"] is True
    assert "a pool of unknown threads already" in found["resized"]
    assert "`num_threads` must be left out" in found["own"]
    assert "nowhere does not exist" in found["damaged"]


@LINUX
@CAN_SHARE
def test_a_forked_process_is_refused_rather_than_left_waiting_for_threads_that_are_gone(masked_path):
    found = _run(
        """
share_threads(2)
reading, writing = os.pipe()
if os.fork() == 0:
    os.write(writing, error(Predictor, path).encode())
    os._exit(0)
os.wait()
print(json.dumps(os.read(reading, 10_000).decode()))
""",
        masked_path,
    )
    assert "ServingError: share_threads() was called before this process was forked" in found


def test_an_onnx_runtime_without_such_a_pool_says_so(monkeypatch):
    monkeypatch.delattr(onnxruntime, "set_global_thread_pool_sizes", raising=False)
    assert share_threads() is False
    assert share_threads(3) is False


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2"])
def test_a_wrong_number_of_threads_is_refused(wrong):
    with pytest.raises(ServingError, match=rf"`num_threads` must be a positive integer or None. Received: {wrong!r}"):
        share_threads(wrong)
