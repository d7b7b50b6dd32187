"""What `keras-seq export --quantize` tries the quantised graphs on."""

import importlib
from typing import Any

import numpy as np

from keras_seq.cli.arrays import read_arrays
from keras_seq.cli.errors import CommandError

_TARGETS, _WEIGHTS = "targets", "sample_weight"


def read_validation_data(source: str | None) -> Any:
    """The arrays of a file, as `export_model` takes them.

    Args:
        source: An `.npz` or JSON file with an array for each input by its name, and `targets` and `sample_weight` where
            there are any; None for none.

    Raises:
        CommandError: It cannot be read, or rows differ in length.
    """
    if source is None:
        return None
    arrays = read_arrays(source, "--validation-data")
    if not isinstance(arrays, dict):
        raise CommandError(f"--validation-data {source} must hold arrays by the names of the inputs, and `{_TARGETS}`.")
    named = {name: _array(name, value, source) for name, value in arrays.items()}
    parts = [named.pop(name, None) for name in (_TARGETS, _WEIGHTS)]
    if not named:
        raise CommandError(f"--validation-data {source} holds no inputs, `{_TARGETS}` alone.")
    while parts and parts[-1] is None:
        parts.pop()
    return (named, *parts)


def read_metric(text: str | None) -> Any:
    """A metric as `export_model` takes it.

    Args:
        text: The name of a Keras metric, or `MODULE:FUNCTION`; None for none.

    Raises:
        CommandError: There is no such module or function.
    """
    if text is None or ":" not in text:
        return text
    module, _, name = text.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise CommandError(
            f"--metric {text} cannot be had: {error}. Give the name of a Keras metric, such as accuracy, or "
            "MODULE:FUNCTION with a function (targets, outputs) -> number of which more is better."
        ) from error


def _array(name: str, value: Any, source: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise CommandError(
            f"--validation-data {source}: the rows of {name!r} differ in length. Pad them to one length, as to train."
        ) from error
