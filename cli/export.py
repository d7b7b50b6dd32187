"""`keras-seq export`: from a `.keras` file to a bundle."""

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_seq.cli.errors import CommandError
from keras_seq.cli.manifest_view import manifest_json, print_manifest, print_parity
from keras_seq.cli.model_file import check_model_file, load_model, require_export_extra
from keras_seq.cli.options import Atol, Imports, Json, ModelPath, Rtol
from keras_seq.cli.output import print_json, progress, remark
from keras_seq.cli.quantize_options import read_metric, read_validation_data
from keras_seq.cli.strategy import read_strategy
from keras_seq.cli.text_options import read_labels, read_tokenizers

FORMATS = ("onnx", "saved_model")


def export(
    model: ModelPath,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The bundle's folder, to be made.", show_default=False)],
    formats: Annotated[str, typer.Option(help="What to write, with commas between.")] = ",".join(FORMATS),
    streaming: Annotated[
        bool, typer.Option("--streaming", help="Write step.onnx too, which takes the input in chunks.")
    ] = False,
    generate: Annotated[
        str | None,
        typer.Option(
            metavar="STRATEGY",
            help="Write generate.onnx too, which decodes: greedy, sampling or beam_search, with settings behind a "
            "colon, as in beam_search:num_beams=4,max_length=40.",
            show_default=False,
        ),
    ] = None,
    tokenizer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE",
            help="The tokenizer.json of the model's texts, or of one input's; may be given several times.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What the classes are called: a JSON list, or one for each output by its name.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle that is at OUT already.")] = False,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Do not compare with the Keras model (a stream is compared anyway).")
    ] = False,
    allow_loop: Annotated[
        bool, typer.Option("--allow-loop", help="Leave a layer that has no native form as a slow ONNX Loop.")
    ] = False,
    portable: Annotated[
        bool,
        typer.Option("--portable", help="Keep to standard ONNX operators, for runtimes other than ONNX Runtime."),
    ] = False,
    triton: Annotated[
        bool, typer.Option("--triton", help="Write a model repository for NVIDIA Triton too, under OUT/triton.")
    ] = False,
    ort: Annotated[
        bool, typer.Option("--ort", help="Write each graph in ONNX Runtime's own format too, for small devices.")
    ] = False,
    quantize: Annotated[
        str | None,
        typer.Option(
            metavar="BITS",
            help="Write each graph in int8 or fp16 too, as the variant of that name.",
            show_default=False,
        ),
    ] = None,
    validation_data: Annotated[
        str | None,
        typer.Option(
            "--validation-data",
            metavar="FILE",
            help="With --quantize: .npz or .json of the inputs by name, and targets, to try the quantised graphs on.",
            show_default=False,
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="With --quantize: a Keras metric such as accuracy, or MODULE:FUNCTION of targets and outputs.",
            show_default=False,
        ),
    ] = None,
    max_metric_drop: Annotated[
        float, typer.Option(min=0.0, help="With --metric: by what part of itself it may drop.")
    ] = 0.005,
    min_onnxruntime: Annotated[
        str, typer.Option(metavar="VERSION", help="The oldest ONNX Runtime that must load the graphs.")
    ] = "1.17",
    metadata: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A JSON object to keep in the bundle: task, labels, vocabularies."),
    ] = None,
    atol: Atol = 1e-5,
    rtol: Rtol = 1e-5,
    imports: Imports = None,
    json: Json = False,
) -> int:
    """Export a trained model as a verified bundle: ONNX graphs, a SavedModel and a manifest.

    The bundle is written whole or not at all. Exit code 1: what was exported computes something else than the model, or
    does its task worse than --max-metric-drop allows.
    """
    chosen = _formats(formats)
    kept = _metadata(metadata)
    named_classes = read_labels(labels)
    check_model_file(model)
    if out.exists() and not overwrite:
        raise CommandError(f"{out} exists already. Give --overwrite to replace it, or choose another folder.")
    require_export_extra("exporting")
    tried_on = read_validation_data(validation_data)
    with progress() as say:
        say(f"loading {model}")
        loaded = load_model(model, imports or ())
        strategy = read_strategy(generate)
        tokenizers = read_tokenizers(tokenizer or ())
        from keras_seq.export import MetricDropError, ParityError, Tolerance, export_model

        try:
            report = export_model(
                loaded,
                out,
                formats=chosen,
                streaming=streaming,
                generate=strategy,
                verify=not no_verify,
                overwrite=overwrite,
                allow_loop=allow_loop,
                portable=portable,
                triton=triton,
                ort_format=ort,
                quantize=quantize,
                validation_data=tried_on,
                metric=read_metric(metric),
                max_metric_drop=max_metric_drop,
                min_onnxruntime=min_onnxruntime,
                metadata=kept,
                tokenizer=tokenizers,
                labels=named_classes,
                tolerance=Tolerance(atol, rtol),
                progress=say,
            )
            failed = None
        except MetricDropError as error:
            remark(f"keras-seq export: {error}")
            return 1
        except ParityError as error:
            failed = [result.to_dict() for result in error.results]
    if failed is None:
        if json:
            print_json(manifest_json(out, report.manifest))
        else:
            print_manifest(out, report.manifest)
        return 0
    if json:
        print_json({"path": None, "parity": failed})
    else:
        print_parity("comparisons", failed)
    count = sum(not row["passed"] for row in failed)
    remark(
        f"keras-seq export: {count} of {len(failed)} comparisons differ, so nothing was written. Where a difference of "
        "that size is expected (a long or chaotic recurrence), give larger --atol and --rtol."
    )
    return 1


def _formats(text: str) -> list[str]:
    chosen = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(chosen) - set(FORMATS))
    if unknown or not chosen:
        raise CommandError(f"--formats takes {' and '.join(FORMATS)}, with commas between. Received: {text!r}.")
    return chosen


def _metadata(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        value = json_module.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise CommandError(f"--metadata {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # not UTF-8, not JSON, or NaN
        raise CommandError(f"--metadata {path} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CommandError(f'--metadata {path} must hold a JSON object, {{"labels": …}}. It holds: {str(value)[:60]}.')
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
