"""Says what to install where a package of an extra is missing."""

import functools
from collections.abc import Callable, Sequence
from typing import Any


def naming_extra(get_attribute: Callable[[str], Any], extra: str, packages: Sequence[str]) -> Callable[[str], Any]:
    """Gives a lazy module's `__getattr__` a message for packages that are not installed.

    Args:
        get_attribute: A module's `__getattr__`, which imports what an attribute needs.
        extra: The extra that brings the packages.
        packages: Import names of the packages at the top level.

    Returns:
        A `__getattr__` that does the same and raises a `ModuleNotFoundError` with the line to install the extra.

    Example:

    >>> def load(name):
    ...     raise ModuleNotFoundError("No module named 'tf2onnx'", name="tf2onnx")
    >>> naming_extra(load, "export", ["tf2onnx"])("export_model")
    Traceback (most recent call last):
    ModuleNotFoundError: `export_model` needs tf2onnx, which is not installed. Install it with: \
pip install 'keras_seq[export]'
    """

    @functools.wraps(get_attribute)
    def wrapped(name: str) -> Any:
        try:
            return get_attribute(name)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in packages:
                raise
            raise ModuleNotFoundError(
                f"`{name}` needs {missing}, which is not installed. Install it with: pip install 'keras_seq[{extra}]'",
                name=error.name,
            ) from error

    return wrapped
