import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name", ["conllu", "features", "python_source", "scores", "sentence", "training", "vocabularies"]
)
def test_the_docstrings_of_the_demo_tell_the_truth(name):
    failed, attempted = doctest.testmod(importlib.import_module(f"tagging.{name}"))
    assert attempted > 0
    assert failed == 0
