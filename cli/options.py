"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle's folder.", show_default=False)]
ModelPath = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A file that `model.save('….keras')` wrote.", show_default=False)
]
ReferenceModel = Annotated[
    Path | None,
    typer.Option(
        "--model", metavar="MODEL", help="The Keras model of the bundle, to compare with.", show_default=False
    ),
]
Imports = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="MODULE",
        help="Import a module that registers the model's own classes; may be given several times.",
        show_default=False,
    ),
]
Graph = Annotated[str, typer.Option("--graph", metavar="NAME", help="Which of the bundle's graphs.")]
Variant = Annotated[
    str | None,
    typer.Option(
        "--variant",
        metavar="NAME",
        help="Which of the graph's variants, such as int8; by default the graph as it was exported.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Atol = Annotated[float, typer.Option("--atol", min=0.0, help="Allowed absolute difference.")]
Rtol = Annotated[float, typer.Option("--rtol", min=0.0, help="Allowed difference, relative to the value.")]
