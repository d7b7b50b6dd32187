import doctest
import importlib

import pytest

MODULES = ("agreement", "experiment", "homophones", "judging", "kitchen", "ngrams", "terminal", "texts")


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.backend("tensorflow")
def test_the_docstrings_of_the_demos_tell_the_truth(name):
    failed, attempted = doctest.testmod(importlib.import_module(f"language_modelling.{name}"))
    assert attempted > 0
    assert failed == 0
