"""Keras' own tests of its recurrent layers, run on ours."""

import os
import pathlib
import re
import subprocess
import sys

import keras
import pytest

MODULES = ["lstm_test", "gru_test", "simple_rnn_test", "bidirectional_test", "rnn_test", "stacked_rnn_cells_test"]
COLLECTED = 55  # in Keras 3.15.1; a number that changes means that other tests ran
OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR|SKIPPED) \S*::(\w+::\w+)", re.MULTILINE)


def run_keras_tests(folder, *options):
    modules = [f"keras.src.layers.rnn.{module}" for module in MODULES]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-q", "-p", "no:cacheprovider", *options, "--pyargs", *modules],
        cwd=folder,  # away from this project's settings
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)}
    failures = {name for outcome, name in OUTCOME.findall(done.stdout) if outcome in ("FAILED", "ERROR")}
    return counts, failures, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.backend("tensorflow", "torch")  # under JAX Keras' own tests alone take minutes
def test_keras_own_tests_pass_with_our_layers_in_the_place_of_its_own(tmp_path):
    counts, failures, output = run_keras_tests(tmp_path, "-p", "ours_for_keras")
    assert sum(counts.values()) == COLLECTED, output
    assert counts["passed"] >= COLLECTED - 3, output  # two or three are for GPUs
    if failures or counts.get("failed") or counts.get("error"):
        _, failures_of_keras, _ = run_keras_tests(tmp_path)
        assert failures, output
        assert failures <= failures_of_keras, f"{failures - failures_of_keras} pass with Keras' own layers\n{output}"


def test_the_plugin_puts_our_layers_in_place(tmp_path):
    code = "import ours_for_keras as p, keras.src.layers as k; print(*[vars(k)[n].__module__ for n in p.NAMES])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        # The backend that is loaded soonest: the classes are the same ones under each.
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parent), "KERAS_BACKEND": "numpy"},
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    modules = done.stdout.split()
    assert len(modules) == 7
    assert all(module.startswith("keras_seq.recurrent.") for module in modules)
    assert keras.layers.LSTM.__module__.startswith("keras.")  # and in this process nothing has changed
