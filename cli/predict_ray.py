"""`keras-seq predict --ray`: a whole folder, on the processors of this machine or of a cluster."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keras_seq.cli.errors import CommandError
from keras_seq.cli.output import print_json, print_line, progress
from keras_seq.serving.ray_batch import run_batch


def run_folder(
    bundle: Path,
    inputs: str | None,
    output: Path | None,
    graph: str | None,
    options: Mapping[str, Any],
    settings: Mapping[str, Any],
    json: bool,
) -> None:
    """Runs a bundle on all rows of a folder, and says what was done.

    Args:
        bundle: The bundle's folder.
        inputs: Folder of texts and arrays.
        output: Folder of the outputs.
        graph: Which of the bundle's graphs; by default `generate` where there is one, else `model`.
        options: Of the graph.
        settings: What `run_batch` takes besides.
        json: Print JSON instead of a line.

    Raises:
        CommandError: A folder is missing.
        ServingError: Bundle, rows or folders are no use.
    """
    if inputs in (None, "-") or output is None:
        raise CommandError("--ray runs whole folders. Give --input FOLDER and --output FOLDER.")
    with progress() as say:
        report = run_batch(bundle, inputs, output, graph=graph, options=options, progress=say, **settings)
    if json:
        print_json({**asdict(report), "output": str(report.output)})
    else:
        print_line(str(report))
