"""`keras-seq web`: a static page that runs bundles on the visitor's own device."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_seq.cli.bundle_names import named_bundles
from keras_seq.cli.errors import CommandError
from keras_seq.cli.options import Json
from keras_seq.cli.output import print_json, print_line, print_table, progress, size_text


def web(
    bundles: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]BUNDLE...", help="Bundles' folders; the name is the folder's.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="The site's folder, to be made.", show_default=False),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A variant that visitors may choose, the default first; may be given several times. `float` is the "
            "graph itself. By default that and the quantised ones.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a site that is at FOLDER already.")] = False,
    webgpu: Annotated[
        bool, typer.Option("--webgpu", help="Let visitors choose their graphics processor (27 MB more).")
    ] = False,
    onnxruntime_web: Annotated[
        Path | None,
        typer.Option(
            "--onnxruntime-web",
            metavar="FOLDER",
            help="The npm package onnxruntime-web, unpacked; by default npm fetches it once.",
            show_default=False,
        ),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the site then, to this machine alone, with what threads need.")
    ] = False,
    port: Annotated[int, typer.Option(metavar="N", help="Port of --serve; 0 for any.", min=0, max=65535)] = 8000,
    json: Json = False,
) -> None:
    """Write a folder that any server of files can offer: a page that runs the bundles in the visitor's browser.

    Nothing is computed anywhere else, and after the first visit no network is needed. The folder is written whole or
    not at all. With --serve and without bundles, a site that was written before is served.
    """
    if out is None:
        raise CommandError("say where the site is to be: keras-seq web BUNDLE... -o FOLDER.")
    if not bundles and not serve:
        raise CommandError("a site needs a bundle at least: keras-seq web BUNDLE... -o FOLDER.")
    if bundles:
        _write(named_bundles(bundles), out, variant or (), overwrite, onnxruntime_web, webgpu, json)
    if serve:
        _serve(out, port, json)


def _write(
    bundles: dict[str, Path],
    out: Path,
    variants: list[str] | tuple[()],
    overwrite: bool,
    onnxruntime_web: Path | None,
    webgpu: bool,
    json: bool,
) -> None:
    from keras_seq.serving.site import write_site

    if out.exists() and not overwrite:
        raise CommandError(f"{out} exists already. Give --overwrite to replace it, or choose another folder.")
    with progress() as say:
        report = write_site(
            bundles,
            out,
            variants=variants,
            overwrite=overwrite,
            onnxruntime_web=onnxruntime_web,
            webgpu=webgpu,
            say=say,
        )
    if json:
        print_json(report.to_dict(), indent=None)
        return
    rows = [
        ("page: HTML, CSS, programs", report.page),
        ("client: keras_seq in JavaScript", report.client),
        (f"onnxruntime-web {report.runtime_version}".rstrip(), report.runtime),
        *([("onnxruntime-web for WebGPU, instead", report.webgpu)] if report.webgpu else []),
        *(_row(name, variant, weight) for name, found in report.models.items() for variant, weight in found.items()),
        ("all of it, each model in its first variant", report.first_visit),
    ]
    cells = [(what, size_text(weight.bytes), size_text(weight.gzip_bytes)) for what, weight in rows]
    print_table(f"site {out}", ("what", "size", "as gzip"), cells, right=("size", "as gzip"))
    for name, found in report.models.items():
        if not found:
            print_line(f"{name} takes numbers alone, so the page only lists it: export it with --tokenizer.")
    if not any(report.models.values()):
        print_line("The page has nothing to ask.")
    print_line()
    print_line(f"python -m http.server -d {out}    # then open http://localhost:8000/")


def _row(name: str, variant: str, weight: Any) -> tuple[str, Any]:
    return (f"model {name}" if variant == "float" else f"model {name}, {variant}"), weight


def _serve(out: Path, port: int, json: bool) -> None:
    from keras_seq.serving.site.serve_site import serve_site
    from keras_seq.serving.site.write_site import SITE_FILE

    if not (out / SITE_FILE).is_file():
        raise CommandError(f"{out} is no site: it has no {SITE_FILE}. `keras-seq web BUNDLE... -o {out}` writes one.")

    def announce(url: str):
        if json:
            print_json({"url": url}, indent=None)
        else:
            sys.stdout.write(f"{out} is at {url} until Ctrl-C\n")
        sys.stdout.flush()

    try:
        serve_site(out, port, announce)
    except OSError as error:
        raise CommandError(f"port {port} cannot be had: {error.strerror}. Choose another: --port N.") from error
