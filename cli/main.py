"""The entry point of `keras-seq`."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

_EXTRA = ("rich", "typer")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: What follows `keras-seq`; by default the process's own arguments.

    Returns:
        The exit code: 0 fine, 1 the check failed, 2 bad usage or bad input, 130 interrupted.
    """
    try:
        from keras_seq.cli.app import run

        with _cleaning_up_when_terminated():
            return run(sys.argv[1:] if arguments is None else arguments)
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        sys.stderr.write(
            f"keras-seq: the command line needs {error.name}, which is not installed: pip install 'keras_seq[cli]'\n"
        )
        return 2
    except KeyboardInterrupt:  # before the first command took over
        sys.stderr.write("keras-seq: interrupted\n")
        return 130


@contextlib.contextmanager
def _cleaning_up_when_terminated() -> Iterator[None]:
    """Within: SIGTERM ends the process as an exception does, so that what is half written is taken away."""
    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
