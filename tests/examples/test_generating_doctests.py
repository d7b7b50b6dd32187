import doctest
import importlib

import pytest

MODULES = (
    "generating.hypotheses",
    "generating.padding",
    "generating.vocabulary",
    "date_reading.digits",
    "date_reading.formats",
    "date_reading.source",
    "date_reading.heat_map",
    "translation.corpus",
    "translation.judge",
    "translation.pairs",
    "translation.phrases",
    "translation.words",
)


@pytest.mark.parametrize("name", MODULES)
def test_the_docstrings_of_the_demos_that_generate_tell_the_truth(name):
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert attempted > 0
    assert failed == 0
