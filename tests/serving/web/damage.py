"""Bundles that no runtime can run, and what is to be said of them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from onnx import helper

from keras_seq.serving import FileSpec


def _copied(path: Path, folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A copy of a bundle whose manifest was changed."""
    shutil.copytree(path, folder)
    value = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    change(value)
    (folder / "bundle.json").write_text(json.dumps(value), encoding="utf-8")
    return folder


def _with_graph(path: Path, folder: Path, change: Callable[[onnx.GraphProto], Any]) -> Path:
    """A copy of a bundle whose graph was changed, and whose manifest knows it."""
    graph = onnx.load(path / "model.onnx")
    change(graph.graph)
    _copied(path, folder, lambda value: None)
    onnx.save(graph, folder / "model.onnx")
    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    manifest["files"]["model.onnx"] = FileSpec.of(folder / "model.onnx").to_dict()
    manifest["layers"] += [{**manifest["layers"][0], "name": "decoder.gate"}]
    (folder / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def _foreign(operator: str, name: str, domain: str = "") -> Callable[[onnx.GraphProto], Any]:
    def change(graph: onnx.GraphProto):
        first = graph.node[0]
        graph.node.insert(0, helper.make_node(operator, ["words"], ["other"], name=name, domain=domain))
        first.input[:] = ["other" if taken == "words" else taken for taken in first.input]

    return change


def write_unloadable(root: Path, path: Path) -> list[dict[str, Any]]:
    """Copies of a bundle, each with one thing wrong, under `root`.

    Returns:
        For each what `predictor.test.js` takes: its name, its folder, and what the message must match.
    """
    found: list[dict[str, Any]] = []

    def add(name: str, folder: Path, message: str, **more: Any):
        found.append({"name": name, "bundle": folder, "message": message, **more})

    def copy(name: str, change: Callable[[dict[str, Any]], Any], message: str):
        add(name, _copied(path, root / name, change), message)

    copy("newer", lambda v: v.update(schema_version=3), r"schema version 3; this keras-seq reads up to 2\. Upgrade")
    copy("no version", lambda v: v.pop("schema_version"), r"no `schema_version`, so it is not the manifest")
    copy("no field", lambda v: v.pop("created"), r"`created` is missing\. Fields of the manifest: `schema_version`")
    copy("another type", lambda v: v.update(name=7), r"`name` must be a string\. Received: 7")
    copy(
        "no file",
        lambda v: v["files"].pop("model.onnx"),
        r"`graphs\.model\.file` must be one of the names in `files`\. Received: 'model\.onnx'",
    )
    copy(
        "outside",
        lambda v: v["graphs"]["model"].update(file="../model.onnx"),
        r"`graphs\.model\.file` must be a relative path inside the bundle.*Received: '\.\./model\.onnx'",
    )
    copy(
        "digest",
        lambda v: v["files"]["model.onnx"].update(sha256="0" * 64),
        r"'model\.onnx' was altered: expected SHA-256 0{64}, received \w{64}",
    )
    copy(
        "shape",
        lambda v: v["graphs"]["model"]["inputs"][0].update(shape=["time", "batch"]),
        r"`graphs\.model\.inputs\[0\]\.shape` must be a list with 'batch' as its first dimension",
    )
    copy(
        "other names",
        lambda v: v["graphs"]["model"]["inputs"][0].update(name="letters"),
        r"'model' \(model\.onnx\) does not have the inputs that bundle\.json gives it\. Expected: .*'letters'",
    )
    copy(
        "other types",
        lambda v: v["graphs"]["model"]["inputs"][0].update(dtype="int64"),
        r"does not have the inputs .*Expected: \{'words': 'int64'.*Received: \{'words': 'int32'",
    )
    copy(
        "no such option",
        lambda v: v["graphs"]["model"].update(options=[{"name": "alpha", "dtype": "float32", "default": 1}]),
        r"does not have the inputs .*'alpha': 'float32'",
    )
    cut = _copied(path, root / "cut", lambda value: None)
    (cut / "model.onnx").write_bytes((cut / "model.onnx").read_bytes()[:-1])
    add("cut short", cut, r"'model\.onnx' is truncated: expected \d+ bytes, received \d+")
    gone = _copied(path, root / "gone", lambda value: None)
    (gone / "model.onnx").unlink()
    add("gone", gone, r"lacks its file 'model\.onnx' \(looked for .*gone/model\.onnx\)")
    add("no bundle", root, r"it is not a bundle, as it has no bundle\.json")
    add("no graph", path, r"has no graph 'generate'\. It has: 'model', 'step'\. Export a model that", graph="generate")
    add("states", path, r"Graph 'step' of .* carries states: run it with `Stream`", graph="step")
    add("variant", path, r"model\.onnx has no variant 'int8'\. It has: none", variant="int8")
    foreign = _with_graph(path, root / "foreign", _foreign("NoSuch", "toy/decoder/gate/NoSuch", "com.microsoft"))
    lacks = r"no operator 'NoSuch'\. It comes from "
    add("foreign operator", foreign, lacks + r"'decoder\.gate' of the model\..*portable=True")
    unknown = _with_graph(path, root / "unknown", _foreign("NoSuch", "toy/lstm/NoSuch"))
    add("unknown operator", unknown, lacks + r"'lstm' of the model\.")
    kind = _with_graph(path, root / "kind", _foreign("Erf", "toy/other/Erf"))
    add("operator of another type", kind, r"Erf.*It comes from 'toy/other/Erf' of the model\.")
    return found
