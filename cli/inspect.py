"""`keras-seq inspect`: what a bundle says of itself."""

from typing import Annotated

import typer

from keras_seq.cli.errors import CommandError
from keras_seq.cli.manifest_view import manifest_json, print_manifest
from keras_seq.cli.options import BundlePath, Json, Variant
from keras_seq.cli.output import print_json, print_text
from keras_seq.serving.errors import listed


def inspect(
    bundle: BundlePath,
    code: Annotated[
        str | None,
        typer.Option(
            "--code",
            metavar="LANGUAGE",
            help="Print the lines that run a graph in cpp, kotlin or swift.",
            show_default=False,
        ),
    ] = None,
    graph: Annotated[
        str | None,
        typer.Option(
            "--graph", metavar="NAME", help="With --code: which graph; by default the first.", show_default=False
        ),
    ] = None,
    variant: Variant = None,
    json: Json = False,
) -> None:
    """Show what a bundle holds: inputs, outputs, states, operators, layers, parity, metadata, files.

    Reads the manifest alone; `keras-seq verify` checks the files against it. With --code, a small program that runs one
    of its graphs with ONNX Runtime, in the form of a device (ort) where there is one and no other --variant is named.
    """
    from keras_seq.serving.bundle import Bundle

    loaded = Bundle.load(bundle, check_files=False)
    if code is not None:
        if json:
            raise CommandError("--code prints a program, not JSON. Leave one of the two out.")
        print_text(_program(loaded, code, graph, variant))
        return
    if graph is not None or variant is not None:
        raise CommandError("--graph and --variant choose what --code is about. Give --code LANGUAGE too.")
    if json:
        print_json(manifest_json(bundle, loaded.manifest))
    else:
        print_manifest(bundle, loaded.manifest)


def _program(bundle, language: str, graph: str | None, variant: str | None) -> str:
    from keras_seq.cli.host_code import LANGUAGES, host_code

    if language not in LANGUAGES:
        raise CommandError(f"--code must be one of {listed(LANGUAGES)}. Received: {language!r}.")
    if not bundle.manifest.graphs:
        raise CommandError(f"{bundle.path} has no ONNX graph to run. Export the model with onnx among --formats.")
    spec = bundle.graph(graph or next(iter(bundle.manifest.graphs)))
    return host_code(language, spec.of_variant(variant or ("ort" if "ort" in spec.variants else None)))
