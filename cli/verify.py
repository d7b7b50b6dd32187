"""`keras-seq verify`: is a bundle whole, and does all that is in it compute the same?"""

from pathlib import Path
from typing import Annotated

import typer

from keras_seq.cli.errors import CommandError, missing_extra
from keras_seq.cli.manifest_view import print_parity
from keras_seq.cli.model_file import check_model_file, load_model, missing_packages, require_export_extra
from keras_seq.cli.options import Atol, BundlePath, Imports, Json, ReferenceModel, Rtol
from keras_seq.cli.output import print_json, print_table, progress, remark
from keras_seq.cli.quiet import import_tensorflow
from keras_seq.serving.bundle import MANIFEST_FILE, Bundle
from keras_seq.serving.errors import BundleError
from keras_seq.serving.manifest import Manifest


def verify(
    bundle: BundlePath,
    model: ReferenceModel = None,
    files_only: Annotated[
        bool, typer.Option("--files-only", help="Check sizes and digests alone; needs neither Keras nor TensorFlow.")
    ] = False,
    atol: Atol = 1e-5,
    rtol: Rtol = 1e-5,
    imports: Imports = None,
    json: Json = False,
) -> int:
    """Check a bundle's files, run everything in it on a battery of inputs, and compare.

    Without --model the bundle's own forms are compared with each other: the SavedModel with the ONNX graph, a stream
    in chunks with one at once. Exit code 1: a file is missing or altered, or something differs.
    """
    if files_only and model is not None:
        raise CommandError("--files-only runs nothing, so it cannot use --model. Leave one of the two out.")
    if model is not None:
        check_model_file(model)
    manifest = _manifest(bundle)
    if not files_only and missing_packages():
        error = missing_extra("comparing what the bundle computes", missing_packages())
        raise CommandError(f"{error}, or give --files-only to check sizes and digests alone.")
    files = _check_files(bundle, manifest)
    whole = all(row["problem"] is None for row in files)
    parity = []
    if whole and not files_only:
        parity = _compare(bundle, manifest, model, atol, rtol, imports)

    differing = sum(not row["passed"] for row in parity)
    passed = whole and not differing
    if json:
        print_json({"path": str(bundle), "passed": passed, "files": files, "parity": parity})
    else:
        rows = [[row["file"], "ok" if row["problem"] is None else row["problem"]] for row in files]
        print_table(f"files of {bundle}", ["file", ""], rows)
        if parity:
            print_parity("comparisons", parity)
    if not whole:
        remark(
            f"keras-seq verify: {sum(row['problem'] is not None for row in files)} of {len(files)} files are not what "
            "the manifest says, so nothing was run. Export the model again, or copy the bundle anew."
        )
    elif differing:
        remark(f"keras-seq verify: {differing} of {len(parity)} comparisons differ. Export the model again.")
    return 0 if passed else 1


def _manifest(path: Path) -> Manifest:
    """The bundle's manifest, whether or not the files it lists are there."""
    try:
        return Bundle.load(path, check_files=False).manifest
    except BundleError:
        if not (path / MANIFEST_FILE).is_file():
            raise
    # Either the manifest is damaged, and says so again, or a graph is missing, which the table of files shows.
    return Manifest.from_json((path / MANIFEST_FILE).read_text(encoding="utf-8"))


def _check_files(path: Path, manifest: Manifest) -> list[dict]:
    rows = []
    for name, spec in manifest.files.items():
        file = path / name
        problem = None
        if not file.is_file():
            problem = "missing"
        else:
            try:
                spec.check(file, name)
            except BundleError:
                size = file.stat().st_size
                problem = "altered" if size == spec.bytes else f"{size} bytes, not {spec.bytes}"
        rows.append({"file": name, "problem": problem})
    return rows


def _compare(
    bundle: Path, manifest: Manifest, model: Path | None, atol: float, rtol: float, imports: list[str] | None
) -> list[dict]:
    forms = ["model.onnx"] * ("model" in manifest.graphs) + ["saved_model"] * (manifest.saved_model is not None)
    if model is None and len(forms) < 2 and "step" not in manifest.graphs:
        raise CommandError(
            f"the bundle holds the model in one form only ({forms[0]}), so there is nothing to compare it with. Give "
            "--model model.keras, or --files-only to check sizes and digests alone."
        )
    require_export_extra("comparing what the bundle computes")
    with progress() as say:
        loaded = None
        if model is not None:
            say(f"loading {model}")
            loaded = load_model(model, imports or ())
        say("running everything in the bundle")
        import_tensorflow()
        from keras_seq.export import Tolerance, verify_bundle

        results = verify_bundle(bundle, loaded, tolerance=Tolerance(atol, rtol))
    return [result.to_dict() for result in results]
