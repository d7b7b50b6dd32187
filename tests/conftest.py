import os
import sys

import pytest

# Before anything imports Keras; the Makefile sets the same, and a bare `pytest` shall do what it does.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
BACKEND = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# XLA's machine code runs for milliseconds here, and optimising it would take seconds.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
if "PYTEST_XDIST_WORKER" in os.environ:  # a worker has one core to itself: more threads would be in the others' way
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def pytest_report_header(config):
    return f"keras backend: {BACKEND}"


def pytest_collection_modifyitems(config, items):
    """Leaves out the tests of other backends; pytest's last line counts them as deselected."""
    chosen, left_out = [], []
    for item in items:
        marker = item.get_closest_marker("backend")
        (chosen if marker is None or BACKEND in marker.args else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = chosen


@pytest.fixture(autouse=True)
def fixed_seeds():
    """Every test draws the same weights, alone or after others. Loads Keras for no test that does without it."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(20)
