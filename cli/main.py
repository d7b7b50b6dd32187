"""The entry point of `keras-seq`."""

import sys
from collections.abc import Sequence

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
