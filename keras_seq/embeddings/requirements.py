"""Imports what only some functions need, and says what to install where it is missing."""

import importlib
from types import ModuleType

__all__ = ["require"]


def require(module: str, purpose: str) -> ModuleType:
    """Imports a module of the extra `embeddings`.

    Args:
        module: Its full name, such as `"scipy.stats"`.
        purpose: What needs it, as the message is to begin.

    Returns:
        The module.

    Raises:
        ModuleNotFoundError: If its package is not installed; with the line that installs it.

    Example:

    >>> require("math", "`logarithm`").log2(8)
    3.0
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        raise ModuleNotFoundError(
            f'{purpose} needs {package}, which is not installed. Install it with: pip install "keras_seq[embeddings]"',
            name=error.name,
        ) from error
