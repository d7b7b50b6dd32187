"""The manifest: written and read back the same; each field checked, and named when it is wrong."""

import copy
import json

import numpy as np
import pytest

from keras_seq.serving import Bundle, BundleError, Manifest, TensorSpec


@pytest.fixture
def value(masked_path):
    """The toy bundle's manifest as parsed JSON."""
    return json.loads((masked_path / "bundle.json").read_text(encoding="utf-8"))


def test_round_trip(masked_path, value):
    manifest = Bundle.load(masked_path).manifest
    assert manifest.to_dict() == value
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert list(manifest.to_dict()) == list(value)


def test_a_bundle_without_onnx_is_a_bundle(value):
    value |= {"graphs": {}, "onnx": None, "files": {}, "saved_model": {"path": "saved_model", "signatures": ["step"]}}
    manifest = Manifest.from_dict(value)
    assert manifest.graphs == {}
    assert manifest.saved_model["path"] == "saved_model"


def test_fields_of_a_later_writer_are_left_alone(value):
    value["license"] = "MIT"
    value["graphs"]["model"]["inputs"][0]["unit"] = "token"
    Manifest.from_dict(value)


def test_a_newer_schema_asks_for_an_upgrade_whatever_else_it_says():
    message = r"schema version 3; this keras_seq reads up to 2. Upgrade keras_seq: `pip install --upgrade keras_seq`"
    with pytest.raises(BundleError, match=message):
        Manifest.from_dict({"schema_version": 3, "graphs": "elsewhere"})


@pytest.mark.parametrize("foreign", [{"name": "x"}, [], 3, None])
def test_json_of_something_else_is_called_so(foreign):
    with pytest.raises(BundleError, match=r"no `schema_version`, so it is not the manifest of a keras_seq bundle"):
        Manifest.from_dict(foreign)


MODEL_IN = ("graphs", "model", "inputs", 0)
STATE = ("graphs", "step", "states", 0)


@pytest.mark.parametrize(
    ("path", "wrong", "message"),
    [
        (("schema_version",), "1", "`schema_version` must be an integer. Received: '1'"),
        (("schema_version",), True, "`schema_version` must be an integer. Received: True"),
        (("schema_version",), 0, "`schema_version` must be at least 1. Received: 0"),
        (("name",), None, "`name` must be a string. Received: None"),
        (("name",), "", "`name` must be a string that is not empty"),
        (("created",), 2025, "`created` must be a string. Received: 2025"),
        (("model",), [], r"`model` must be an object. Received: \[\]"),
        (("model", "parameters"), -1, "`model.parameters` must be at least 0. Received: -1"),
        (("versions", "python"), 3.11, "`versions.python` must be a string. Received: 3.11"),
        (("onnx", "opset"), 0, "`onnx.opset` must be at least 1"),
        (("onnx",), "18", "`onnx` must be an object or null"),
        (("saved_model",), {"path": "../x", "signatures": []}, "`saved_model.path` must be a relative path inside"),
        (("graphs",), None, "`graphs` must be an object"),
        (("graphs", "model"), 7, "`graphs.model` must be an object. Received: 7"),
        (("graphs", "model", "file"), "../m.onnx", "`graphs.model.file` must be a relative path inside the bundle"),
        (("graphs", "model", "file"), "m.onnx", "`graphs.model.file` must be one of the names in `files`"),
        (("graphs", "model", "inputs"), [], "`graphs.model.inputs` must be a list with at least one tensor"),
        (("graphs", "model", "operators", "LSTM"), "1", "`graphs.model.operators.LSTM` must be an integer"),
        ((*MODEL_IN, "name"), 5, r"`graphs.model.inputs\[0\].name` must be a string"),
        ((*MODEL_IN, "name"), "shapes", "`graphs.model` uses a name twice among its inputs and states: 'shapes'"),
        (
            (*MODEL_IN, "dtype"),
            "string",
            r"`graphs.model.inputs\[0\].dtype` must be one of 'bool', 'int8', .* 'string'",
        ),
        ((*MODEL_IN, "shape"), ["time"], r"`graphs.model.inputs\[0\].shape` must be a list with 'batch' as its first"),
        ((*MODEL_IN, "shape"), ["batch", 0], r"must be a list of positive integers and names .* \['batch', 0\]"),
        ((*MODEL_IN, "shape"), ["batch", None], "must be a list of positive integers and names of dynamic"),
        ((*MODEL_IN, "pad_value"), 0.5, r"`graphs.model.inputs\[0\].pad_value` must be a int32 value or null"),
        ((*MODEL_IN, "pad_value"), "0", "pad_value` must be a number, true, false or null"),
        ((*MODEL_IN, "maximum"), 2.5, "maximum` must be an integer or null"),
        (("graphs", "model", "inputs", 1, "maximum"), 3, "maximum` must be null for an input of type float32"),
        ((*STATE, "output"), "", r"`graphs.step.states\[0\].output` must be a string that is not empty"),
        ((*STATE, "shape"), ["batch", "time"], r"`graphs.step.states\[0\].shape` must be fixed but for 'batch'"),
        ((*STATE, "input"), "words", "`graphs.step` uses a name twice among its inputs and states: 'words'"),
        (
            ("layers", 0, "lowering"),
            "magic",
            r"`layers\[0\].lowering` must be one of 'native', 'loop', 'decode_loop', 'fused', .*Received: 'magic'",
        ),
        (("parity", 0, "passed"), 1, r"`parity\[0\].passed` must be true or false. Received: 1"),
        (("parity", 0, "atol"), "1e-5", r"`parity\[0\].atol` must be a number"),
        (("metadata",), [], "`metadata` must be an object"),
        (
            ("files", "model.onnx", "sha256"),
            "ABC",
            "`files.model.onnx.sha256` must be 64 lower-case hexadecimal digits",
        ),
        (("files", "model.onnx", "bytes"), -1, "`files.model.onnx.bytes` must be at least 0. Received: -1"),
    ],
    ids=lambda part: None,
)
def test_a_wrong_field_is_named(value, path, wrong, message):
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = wrong
    with pytest.raises(BundleError, match=message):
        Manifest.from_dict(value)


def _places(value, path=()):
    """Paths of all fields of the schema that must be there (not entries of tables, nor free metadata)."""
    if isinstance(value, dict):
        for key, item in value.items():
            if path[-1:] not in (("operators",), ("versions",), ("metadata",)) and path != ("graphs",):
                yield (*path, key)
            yield from _places(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _places(item, (*path, i))


def test_every_field_left_out_is_missed_by_name_or_may_be_null(value):
    optional = {"onnx", "saved_model", "pad_value", "maximum", "reason"}
    places = [place for place in _places(value) if place[-1] not in optional and place[:1] != ("files",)]
    assert len(places) > 50
    for place in places:
        spoilt = copy.deepcopy(value)
        parent = spoilt
        for key in place[:-1]:
            parent = parent[key]
        del parent[place[-1]]
        with pytest.raises(BundleError, match=rf"{place[-1]}`(?: is missing|, so it is not)"):
            Manifest.from_dict(spoilt)


def test_what_json_cannot_hold_is_refused_by_field(masked_path):
    manifest = Bundle.load(masked_path).manifest
    for bad in (np.arange(3), float("nan"), {1, 2}):
        manifest.metadata["labels"] = bad
        with pytest.raises(
            BundleError, match=r"`metadata` cannot be written to bundle.json: .* Give it strings, finite"
        ):
            manifest.to_json()


def test_a_spec_reads_well_in_messages():
    assert str(TensorSpec("x", "float32", ["batch", "time", 64])) == "float32 (batch, time, 64)"
    assert str(TensorSpec("x", "float32", ["batch"])) == "float32 (batch,)"
