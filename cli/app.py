"""All commands under one name, and every way a command can end turned into an exit code."""

import importlib.metadata
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from keras_seq.cli.bench import bench
from keras_seq.cli.errors import CommandError, one_line
from keras_seq.cli.explain import explain
from keras_seq.cli.export import export
from keras_seq.cli.inspect import inspect
from keras_seq.cli.predict import predict
from keras_seq.cli.quiet import hush
from keras_seq.cli.serve import serve
from keras_seq.cli.verify import verify
from keras_seq.cli.web import web
from keras_seq.export.errors import ExportError
from keras_seq.serving.errors import ServingError

# The parser's own errors. Older versions of typer take the class from click, newer ones bring it along: both export
# this subclass of it.
_ParserError = typer.BadParameter.__mro__[2]
_DEBUG = "KERAS_SEQ_DEBUG"
_PIPE_CLOSED = 141  # what a shell reports of any program that this ends

app = typer.Typer(
    help="Export Keras sequence models to verified bundles, look into bundles, and run them.",
    epilog="Exit codes: 0 fine, 1 the check failed, 2 bad usage or bad input, 130 interrupted.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = {
    "export": (export, "Turn a model into a verified bundle."),
    "inspect": (inspect, "Show what a bundle holds."),
    "verify": (verify, "Check a bundle's files and what it computes."),
    "bench": (bench, "Time a bundle beside Keras and TensorFlow."),
    "predict": (predict, "Run a bundle on arrays."),
    "serve": (serve, "Serve bundles over HTTP."),
    "web": (web, "Write a page that runs bundles in the browser."),
    "explain": (explain, "Say how a model's layers train and export."),
}
for name, (command, summary) in _COMMANDS.items():
    app.command(name, short_help=summary)(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"keras_seq {importlib.metadata.version('keras_seq')}\n")
        raise typer.Exit


@app.callback()
def _keras_seq(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str]) -> int:
    """Runs one command and turns whatever happens into an exit code, with one line on stderr where it went wrong.

    Args:
        arguments: What follows `keras-seq`; nothing shows the help.
    """
    hush()
    program = f"keras-seq {arguments[0]}" if arguments and arguments[0] in _COMMANDS else "keras-seq"
    try:
        code = app(list(arguments) or ["--help"], prog_name="keras-seq", standalone_mode=False) or 0
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except (BrokenPipeError, SystemExit) as error:
        # What read our output has seen enough, as in `| head`. The parser turns that into an exit of its own.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
        return _PIPE_CLOSED
    except _ParserError as error:
        return _say(f"{program}: {one_line(error.format_message()).rstrip('.')}. See {program} --help.", 2)
    except (CommandError, ExportError, ServingError) as error:
        _maybe_traceback()
        return _say(f"{program}: {one_line(error)}", 2)
    except Exception as error:  # noqa: BLE001  What a model's own code may raise has no bounds; it is told, not hidden.
        _maybe_traceback()
        text = one_line(f"{type(error).__name__}: {error}")
        text = text if len(text) < 500 else f"{text[:500]} …"
        return _say(f"{program}: {text} (for where this comes from, set {_DEBUG}=1)", 2)
    return _say(f"{program}: interrupted; nothing is half written", 130) if code == 130 else code


def _say(line: str, code: int) -> int:
    sys.stderr.write(line + "\n")
    return code


def _maybe_traceback() -> None:
    if os.environ.get(_DEBUG):
        traceback.print_exc()
