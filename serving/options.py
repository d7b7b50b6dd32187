"""Pairs the options a caller gave with those a graph has."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_seq.serving.errors import InputError, listed
from keras_seq.serving.option_spec import OptionSpec


def check_options(given: Mapping[str, Any] | None, specs: Sequence[OptionSpec]) -> dict[str, np.ndarray]:
    """The value of every option of a graph: the caller's, or the manifest's default.

    Args:
        given: Option name to number; None for none.
        specs: The graph's options.

    Returns:
        Option name to an array of no dimensions, for each of `specs`.

    Raises:
        InputError: If a name is not one of the graph's options, or a value does not suit.

    Example:
        >>> check_options({"alpha": 1}, [OptionSpec("alpha", "float32", 0.7), OptionSpec("max_length", "int32", 40)])
        {'alpha': array(1., dtype=float32), 'max_length': array(40, dtype=int32)}
    """
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise InputError(f"`options` must be a dict of option name to number. Received: {type(given).__name__}.")
    valid = [spec.name for spec in specs]
    unknown = [name for name in given if name not in valid]
    if unknown:
        raise InputError(f"The graph has no option {listed(unknown)}. Valid names: {listed(valid)}.")
    return {spec.name: spec.check(given.get(spec.name, spec.default)) for spec in specs}
