import os
import sys

import pytest

# Before anything imports Keras; the Makefile sets the same, and a bare `pytest` shall do what it does.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
BACKEND = os.environ.setdefault("KERAS_BACKEND", "tensorflow")


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
