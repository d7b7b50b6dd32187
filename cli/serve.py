"""`keras-seq serve`: bundles behind HTTP."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_seq.cli.bundle_names import named_bundles
from keras_seq.cli.errors import CommandError
from keras_seq.cli.options import Variant

_EXTRA = ("fastapi", "uvicorn", "prometheus_client")
_TOKENS = "KERAS_SEQ_TOKENS"


def _number(metavar: str, text: str, **limits: Any) -> Any:
    """An option whose default stands in the server's settings, which are not imported for a help text."""
    return typer.Option(metavar=metavar, help=text, show_default=False, **limits)


def serve(
    bundles: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]BUNDLE...", help="Bundles' folders; the name is the folder's.", show_default=False
        ),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option("--models", metavar="FOLDER", help="Serve NAME or NAME/VERSION in here too.", show_default=False),
    ] = None,
    host: Annotated[
        str | None, _number("ADDRESS", "Where to listen; by default 127.0.0.1, this machine alone.")
    ] = None,
    port: Annotated[int | None, _number("N", "Port; by default 8000, 0 for any.", min=0, max=65535)] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help=f"Answer only who brings a token, one a line here (or in the environment's {_TOKENS}).",
            show_default=False,
        ),
    ] = None,
    variant: Variant = None,
    threads: Annotated[int | None, _number("N", "Threads of a call; by default 1.", min=1)] = None,
    workers: Annotated[
        int | None, _number("N", "Calls of a graph at the same time; by default as many as processors.", min=1)
    ] = None,
    max_batch_tokens: Annotated[int | None, _number("N", "Rows times steps of a call, at most.", min=1)] = None,
    max_wait_ms: Annotated[float | None, _number("MS", "How long a request waits for company.", min=0)] = None,
    max_queue: Annotated[int | None, _number("N", "Requests that wait for a graph, at most.", min=1)] = None,
    max_rows: Annotated[int | None, _number("N", "Rows of a request, at most.", min=1)] = None,
    max_length: Annotated[int | None, _number("N", "Steps of a row, at most.", min=1)] = None,
    max_body_mib: Annotated[int | None, _number("N", "MiB of a request, at most.", min=1)] = None,
    max_connections: Annotated[int | None, _number("N", "Connections, at most.", min=1)] = None,
    max_streams: Annotated[int | None, _number("N", "Streams, at most.", min=1)] = None,
    timeout: Annotated[float | None, _number("SECONDS", "What a request may take, at most.", min=0.001)] = None,
    drain: Annotated[float | None, _number("SECONDS", "What those under way have at the end.", min=0)] = None,
    log_requests: Annotated[bool, typer.Option(help="A line on stderr for each request.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: the address on stdout, the log on stderr.")] = False,
) -> None:
    """Serve bundles over HTTP: Open Inference Protocol v2, plain texts, streams, a page and its documentation.

    Prints the address once requests are answered. SIGTERM and Ctrl-C end it: requests under way are answered, further
    ones get 503. Exit code 0 if all were answered, 1 if time ran out for some. docs/serving.md explains the limits.
    """
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise CommandError(
            f"serving needs {', '.join(missing)}, not installed here: pip install 'keras_seq[cli,serve]'"
        )
    if not bundles and models is None:
        raise CommandError("there is nothing to serve. Name a bundle's folder, or a folder of models with --models.")
    given = {
        "host": host,
        "port": port,
        "tokens": _tokens(token_file),
        "variant": variant,
        "num_threads": threads,
        "workers": workers,
        "max_batch_tokens": max_batch_tokens,
        "max_wait_seconds": None if max_wait_ms is None else max_wait_ms / 1000,
        "max_queue": max_queue,
        "max_rows": max_rows,
        "max_length": max_length,
        "max_body_bytes": None if max_body_mib is None else max_body_mib * 2**20,
        "max_connections": max_connections,
        "max_streams": max_streams,
        "timeout_seconds": timeout,
        "drain_seconds": drain,
    }
    code = _run(
        named_bundles(bundles or ()),
        models,
        {name: value for name, value in given.items() if value is not None},
        log_requests,
        json,
    )
    if code:
        raise typer.Exit(code)


def _run(bundles: dict[str, Path], models: Path | None, given: dict[str, Any], log_requests: bool, json: bool) -> int:
    from keras_seq.cli.output import print_json
    from keras_seq.serving.server import ModelRepository, ServerSettings, create_app, logs, run

    logs.configure(as_json=json, requests=log_requests)
    try:
        settings = ServerSettings(**given)
    except ValueError as error:
        raise CommandError(str(error)) from error
    repository = ModelRepository(bundles, models, settings=settings)

    def announce(url: str):
        names = [model.name for model in repository.models]
        if json:
            print_json({"url": url, "models": names}, indent=None)
        else:
            sys.stdout.write(
                f"keras_seq serves {', '.join(names) or 'no model yet'} at {url} (documentation: {url}/docs)\n"
            )
        sys.stdout.flush()

    return run.serve(create_app(repository), announce=announce)


def _tokens(path: Path | None) -> tuple[str, ...]:
    """Tokens from a file, one a line, or from the environment, with spaces between."""
    if path is None:
        return tuple(os.environ.get(_TOKENS, "").split())
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}.") from error
    tokens = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    if not tokens:
        raise CommandError(f"{path} holds no token. Write one a line.")
    return tokens
