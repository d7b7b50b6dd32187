"""Keeps what TensorFlow and its neighbours note about themselves off the terminal."""

import contextlib
import importlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def hush() -> None:
    """Turns notes and warnings off. A level or warnings that the user asked for stay as they are."""
    os.environ.setdefault(_LEVEL, "3")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def import_tensorflow() -> None:
    """Imports TensorFlow without its notes, and leaves nothing but errors of what it logs later.

    The notes come from C++, before anything that could be set takes effect, straight to the process's stderr.
    """
    if os.environ.get(_LEVEL) != "3":
        return
    with _stderr_held_back():
        importlib.import_module("tensorflow")
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).addFilter(_is_error)  # a level would be set anew by Keras


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


@contextlib.contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Catches what is written to file descriptor 2; it is shown after all where the block fails."""
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with tempfile.TemporaryFile() as caught:
            os.dup2(caught.fileno(), 2)
            try:
                yield
            except Exception:
                caught.seek(0)
                os.write(terminal, caught.read())
                raise
            finally:
                sys.stderr.flush()
                os.dup2(terminal, 2)
    finally:
        os.close(terminal)
