"""`keras-seq explain`: how each layer of a model trains and exports."""

from typing import Annotated

import typer

from keras_seq.cli.model_file import check_model_file, load_model, require_export_extra
from keras_seq.cli.options import Imports, Json, ModelPath
from keras_seq.cli.output import print_json, print_line, print_table, progress


def explain(
    model: ModelPath,
    quantize: Annotated[
        str | None,
        typer.Option(metavar="BITS", help="What int8 or fp16 would make of each layer, too.", show_default=False),
    ] = None,
    imports: Imports = None,
    json: Json = False,
) -> None:
    """Say layer by layer which kernel training takes, what the layer exports to, and why.

    The kernels are those of this machine and of the Keras backend that is set.
    """
    check_model_file(model)
    require_export_extra("explaining a model", backend=None)
    with progress() as say:
        say(f"loading {model}")
        loaded = load_model(model, imports or ())
        from keras_seq.export import explain as explain_model

        explanation = explain_model(loaded, quantize)
    if json:
        print_json(explanation.to_dict())
        return
    columns, rows = explanation.table()
    print_line(f"{explanation.model} on the {explanation.backend} backend", style="bold")
    print_table("layers", columns, rows)
