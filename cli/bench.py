"""`keras-seq bench`: how fast a bundle is, beside the other ways to run the model."""

import os
from typing import Annotated, Any

import typer

from keras_seq.cli.errors import CommandError
from keras_seq.cli.model_file import check_model_file, load_model, missing_packages, require_export_extra
from keras_seq.cli.options import BundlePath, Graph, Imports, Json, ReferenceModel
from keras_seq.cli.output import print_json, print_table, progress
from keras_seq.cli.quiet import import_tensorflow


def bench(
    bundle: BundlePath,
    model: ReferenceModel = None,
    graph: Graph = "model",
    batch: Annotated[str, typer.Option(metavar="SIZES", help="Batch sizes, with commas between.")] = "1,16",
    time: Annotated[str, typer.Option(metavar="STEPS", help="Numbers of time steps, with commas between.")] = "1,50",
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads for each; by default as many as the process may use.", show_default=False),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Blocks of calls for each, taken in turn.")] = 5,
    imports: Imports = None,
    json: Json = False,
) -> None:
    """Time a bundle's graphs beside Keras, the SavedModel and Keras' own ONNX export.

    What is not installed, not in the bundle or not possible is left out, with the reason. All get the same random
    inputs, no longer than the graph allows, and the largest difference from the bundle's own answer is shown. Speed
    drifts on shared machines: only the ratios of one run mean something.
    """
    batches, times = _sizes("--batch", batch), _sizes("--time", time)
    if model is not None:
        check_model_file(model)
        require_export_extra("running the Keras model")
        if graph != "model":
            raise CommandError(f"--model is compared with the graph model only. Leave --model or --graph {graph} out.")
    from keras_seq.cli.candidates import bundle_candidates, framework_candidates
    from keras_seq.cli.comparison import compare_candidates
    from keras_seq.serving.bundle import Bundle
    from keras_seq.serving.cpu_quota import cpu_quota

    threads = threads or cpu_quota()
    opened = Bundle.load(bundle)
    candidates = bundle_candidates(opened, threads, graph)
    limit = opened.graph(graph).limits.get("time")
    if limit is not None:
        times = list(dict.fromkeys(min(steps, limit) for steps in times))
    others: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    with progress() as say:
        loaded = None
        if graph == "model" and not missing_packages():
            os.environ["KERAS_BACKEND"] = "tensorflow"
            os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)  # read when TensorFlow first runs something
            import_tensorflow()
            if model is not None:
                say(f"loading {model}")
                loaded = load_model(model, imports or ())
        if graph == "model":  # the others run nothing else
            others, left_out = framework_candidates(opened, loaded, threads, missing_packages(), say)
        results, failed = compare_candidates(
            {**candidates, **others}, opened.graph(graph).inputs, batches, times, rounds, say
        )
    left_out = {**left_out, **failed}
    if json:
        reasons = [{"name": name, "reason": reason} for name, reason in left_out.items()]
        print_json({"path": str(bundle), "threads": threads, "results": results, "left_out": reasons})
    else:
        _print(opened.manifest.name, threads, results, left_out)


def _print(name: str, threads: int, results: list[dict[str, Any]], left_out: dict[str, str]) -> None:
    cases: dict[tuple, list[dict[str, Any]]] = {}
    for row in results:
        cases.setdefault((row["batch"], row["time"]), []).append(row)
    for (batch, time), rows in cases.items():
        size = f"batch {batch}" + (f", time {time}" if time is not None else "")
        print_table(
            f"{name}: {size}, {threads} threads",
            ["", "ms", "times as long", "largest difference"],
            [
                [
                    row["name"],
                    f"{row['median_seconds'] * 1000:.3g}",
                    f"{row['ratio']:.2f}",
                    f"{row['max_abs_diff']:.0e}",
                ]
                for row in rows
            ],
            right=["ms", "times as long", "largest difference"],
        )
    if left_out:
        print_table("left out", ["", "why"], list(left_out.items()))


def _sizes(option: str, text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise CommandError(
            f"{option} takes positive whole numbers, with commas between, such as 1,16. Received: {text!r}."
        )
    return list(dict.fromkeys(map(int, parts)))
