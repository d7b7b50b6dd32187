"""A tagger with two inputs and a tokenizer for each: the word as it is looked up, and whether it is long."""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from keras_seq.serving import FileSpec, GraphSpec, Manifest, TensorSpec, TokenizerSpec
from tests.serving.toy_text import TAGS, WORDS, document

LONG_WORDS = [*WORDS[:4], "barks", "rains", "naïve"]


def pair_scores() -> tuple[np.ndarray, np.ndarray]:
    """What each id of the two inputs adds to the tags, `(vocabulary, tags)`."""
    rng = np.random.default_rng(6)
    return tuple(rng.normal(size=(len(words), len(TAGS))).astype("float32") for words in (WORDS, LONG_WORDS))


def write_pair(folder: Path, *, same_cuts: bool = True) -> Path:
    """Writes the bundle; without `same_cuts` the second tokenizer leaves punctuation out."""
    (folder / "tokenizers").mkdir(parents=True)
    names, tables = ("words", "long"), pair_scores()
    nodes = [helper.make_node("Gather", [f"{name}_table", name], [f"{name}_scores"]) for name in names]
    nodes.append(helper.make_node("Add", [f"{name}_scores" for name in names], ["tags"]))
    info = helper.make_tensor_value_info
    inputs = [info(name, TensorProto.INT32, ["batch", "time"]) for name in names]
    outputs = [info("tags", TensorProto.FLOAT, ["batch", "time", len(TAGS)])]
    constants = [numpy_helper.from_array(t, f"{name}_table") for name, t in zip(names, tables, strict=True)]
    graph = helper.make_graph(nodes, "toy", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    own = {"vocabulary": LONG_WORDS, "punctuation": "split" if same_cuts else "remove"}
    for name, changes in {"words": {}, "long": own}.items():
        content = json.dumps(document(lowercase=True, **changes))
        (folder / "tokenizers" / f"{name}.json").write_text(content, encoding="utf-8")
    files = {name: f"tokenizers/{name}.json" for name in names}
    specs = [
        TensorSpec(name, "int32", ("batch", "time"), pad_value=0, maximum=len(table) - 1)
        for name, table in zip(names, tables, strict=True)
    ]
    manifest = Manifest(
        name="pair",
        created="2025-01-02T03:04:05+00:00",
        model={"class": "Functional", "parameters": 97, "dtype_policy": "float32"},
        versions={"python": "3.11.7"},
        graphs={"model": GraphSpec("model.onnx", specs, [TensorSpec("tags", "float32", ("batch", "time", len(TAGS)))])},
        files={name: FileSpec.of(folder / name) for name in ("model.onnx", *files.values())},
        onnx={"opset": 18, "ir_version": 8, "min_onnxruntime": "1.17"},
        tokenizers={name: TokenizerSpec(file) for name, file in files.items()},
        labels={"tags": TAGS},
    )
    (folder / "bundle.json").write_text(manifest.to_json(), encoding="utf-8")
    return folder
