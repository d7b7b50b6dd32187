"""Runs the examples in the docstrings.

Module by module under the name it is imported by: pytest's own collection would import `export/` a second time, as a
package `export` of its own.
"""

import doctest
import importlib

import pytest

from tests.repository import modules

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples():
    """One case for each docstring with an example. Importing the modules is part of the test, not of its collection."""
    return [name for name, path in modules().items() if ">>>" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", examples())
def test_examples_of(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write files
    failed, attempted = doctest.testmod(importlib.import_module(name), optionflags=FLAGS, report=True)
    assert attempted > 0
    assert failed == 0
