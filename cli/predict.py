"""`keras-seq predict`: runs a bundle on named arrays, or on texts."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_seq.cli.errors import CommandError
from keras_seq.cli.options import BundlePath, Json, Variant
from keras_seq.cli.output import print_json, print_line, print_table

# What `run_batch` calls the options that --ray alone has.
_OF_RAY = {
    "num_workers": "--workers",
    "rows_per_part": "--part-rows",
    "keep": "--keep",
    "address": "--address",
    "overwrite": "--overwrite",
}


def predict(
    bundle: BundlePath,
    input: Annotated[
        str | None,
        typer.Option(
            "--input",
            "-i",
            metavar="FILE",
            help="Arrays by name: .npz or .json; by default stdin, as is -.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", "-t", metavar="TEXT", help="A text; may be given several times.", show_default=False),
    ] = None,
    text_file: Annotated[
        str | None,
        typer.Option("--text-file", metavar="FILE", help="A text a line; - for stdin.", show_default=False),
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Print what a language model goes on with as it comes.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write the answer there: .npz or .json.", show_default=False
        ),
    ] = None,
    graph: Annotated[
        str | None,
        typer.Option(
            "--graph",
            metavar="NAME",
            help="Which of the bundle's graphs; by default model, for texts generate where there is one.",
            show_default=False,
        ),
    ] = None,
    variant: Variant = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="NAME=VALUE",
            help="One of the graph's options, such as alpha=0.6; may be given several times.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; by default as many as the process may use.", show_default=False)
    ] = None,
    ray: Annotated[
        bool,
        typer.Option("--ray", help="Run all files of the folder --input into the folder --output; resumable."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="With --ray: processes; by default one a processor.", show_default=False),
    ] = None,
    part_rows: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="With --ray: rows of a part; by default 1024.", show_default=False),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="NAME",
            help="With --ray: an output to write, by default all; may be given several times.",
            show_default=False,
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="With --ray: of a Ray cluster; by default this machine.", show_default=False
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="With --ray: do all anew where --output is of another job.")
    ] = False,
    json: Json = False,
) -> None:
    """Run a graph of a bundle on arrays given by name, or on texts, with ONNX Runtime and NumPy alone.

    JSON holds an object, {"words": [[4, 8, 15], [16, 23]]}: nested lists by input name, rows of any length; with one
    input, the list alone will do. In .npz files, rows of different lengths lie end to end under NAME, and their lengths
    under NAME.lengths. `keras-seq inspect` shows a graph's inputs and options, and whether the bundle has a tokenizer:
    then --text and --text-file will do.

    With --ray, --input is a folder of .txt (a text a line), .jsonl, .npz and .npy, and each file becomes a folder of
    parts in --output. Run again after anything went wrong, it does what is missing.
    """
    from keras_seq.cli.arrays import check_output_path, read_options
    from keras_seq.cli.predict_ray import run_folder
    from keras_seq.cli.predict_text import run_stream, run_texts
    from keras_seq.cli.texts import given_texts

    settings = dict(zip(_OF_RAY, (workers, part_rows, keep, address, overwrite), strict=True))
    settings = {name: value for name, value in settings.items() if value}
    if ray:
        if text or text_file is not None or stream or threads is not None or variant is not None:
            raise CommandError(
                "--ray runs folders, each worker on one thread. Leave --text, --stream, --threads, --variant out."
            )
        run_folder(bundle, input, output, graph, read_options(option or ()), settings, json)
        return
    if settings:
        given = ", ".join(_OF_RAY[name] for name in settings)
        raise CommandError(f"{given} is for folders. Give --ray too, or leave it out.")
    if output is not None:
        check_output_path(output)
    options = read_options(option or ())
    if (text or text_file is not None) and input is not None:
        raise CommandError("--input takes arrays, --text and --text-file take texts. Give one of them.")
    if stream and output is not None:
        raise CommandError("--stream prints texts as they come. Leave --output or --stream out.")
    if stream and input is not None:
        raise CommandError("--stream goes on with texts, not with arrays. Give --text, or nothing to begin without.")
    texts = given_texts(text, text_file)
    runs = {"variant": variant, "num_threads": threads}
    if stream:
        run_stream(bundle, texts or [""], graph or "generate", options, runs, json)
    elif texts is not None:
        run_texts(bundle, texts, graph, options, runs, output, json)
    else:
        _run_arrays(bundle, input or "-", graph or "model", options, runs, output, json)


def _run_arrays(
    bundle: Path,
    input: str,
    graph: str,
    options: dict[str, Any],
    runs: dict[str, Any],
    output: Path | None,
    json: bool,
) -> None:
    from keras_seq.cli.arrays import as_lists, read_arrays, write_arrays
    from keras_seq.serving import Predictor

    if input == "-" and sys.stdin.isatty():
        raise CommandError("there is nothing to read. Give --input FILE, or pipe JSON into the command.")
    with Predictor(bundle, graph=graph, **runs) as predictor:
        answers = predictor.predict(read_arrays(input), options)
        specs = {spec.name: spec for spec in predictor.outputs}
    if output is not None:
        write_arrays(output, answers)
    if json:
        if output is None:
            print_json(as_lists(answers), indent=None)
        else:
            print_json({"path": str(output), "outputs": list(answers)})
        return
    rows = []
    for name, answer in answers.items():
        ragged = isinstance(answer, list)
        size = f"{len(answer)} rows of {', '.join(_row_sizes(answer[:5]))}" if ragged else answer.shape
        rows.append([name, str(specs[name]), f"{size}{', …' if ragged and len(answer) > 5 else ''}"])
    print_table(str(output) if output is not None else f"outputs of {bundle}", ["output", "type", "size"], rows)
    if output is None:
        for name, answer in answers.items():
            print_line()
            print_line(name, style="bold")
            for row in answer if isinstance(answer, list) else [answer]:
                print_line(_preview(row))


def _row_sizes(rows) -> list[str]:
    """The length of each row, or its shape where rows differ in more than their length."""
    same = len({row.shape[1:] for row in rows}) == 1
    return [str(len(row)) if same else "×".join(map(str, row.shape)) for row in rows]


def _preview(array) -> str:
    import numpy as np

    return np.array2string(array, precision=4, suppress_small=True, threshold=100, edgeitems=3)
