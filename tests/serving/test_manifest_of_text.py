"""What the manifest says of text: written and read back, checked, and of schema version 2 only where it must be."""

import json

import pytest

from keras_seq.serving import BundleError, Manifest, TextSpec, TokenizerSpec
from tests.serving.toy_text import write_tagger


@pytest.fixture(params=[False, True], ids=["ids alone", "strings in the graph"])
def folder(request, tmp_path):
    return write_tagger(tmp_path / "tagger", strings=request.param)


@pytest.fixture
def value(tmp_path):
    folder = write_tagger(tmp_path / "tagger", strings=True)
    return json.loads((folder / "bundle.json").read_text(encoding="utf-8"))


def test_round_trip(folder):
    text = (folder / "bundle.json").read_text(encoding="utf-8")
    manifest = Manifest.from_json(text)
    assert manifest.to_json() == text
    assert manifest.tokenizers == {"words": TokenizerSpec("tokenizers/words.json")}
    assert list(manifest.labels) == ["tags", "mood"]


def test_old_readers_may_read_all_but_graphs_of_strings(folder):
    value = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    assert value["schema_version"] == (2 if "text" in value["graphs"]["model"] else 1)


def test_the_strings_of_a_graph_are_named(value):
    assert Manifest.from_dict(value).graphs["model"].text == TextSpec({"text": "words"}, ("tokens",))
    assert value["graphs"]["model"]["text"] == {"inputs": {"text": "words"}, "outputs": ["tokens"]}


TEXT = ("graphs", "model", "text")


@pytest.mark.parametrize(
    ("path", "wrong", "message"),
    [
        (("tokenizers",), [], r"`tokenizers` must be an object or null. Received: \[\]"),
        (("tokenizers", "words"), "words.json", "`tokenizers.words` must be an object. Received: 'words.json'"),
        (("tokenizers", "words"), {}, "`tokenizers.words.file` is missing"),
        (("tokenizers", "words", "file"), "../words.json", "`tokenizers.words.file` must be a relative path inside"),
        (("tokenizers", "words", "file"), "words.json", "`tokenizers.words.file` must be one of the names in `files`"),
        (("labels",), [], "`labels` must be an object or null"),
        (("labels", "tags"), [], "`labels.tags` must be a list of at least one label"),
        (("labels", "tags", 2), 7, r"`labels.tags\[2\]` must be a string that is not empty. Received: 7"),
        (TEXT, [], "`graphs.model.text` must be an object or null"),
        ((*TEXT, "inputs"), None, "`graphs.model.text.inputs` must be an object"),
        (
            (*TEXT, "inputs", "text"),
            "ids",
            r"`graphs.model.text.inputs.text` must be one of the graph's inputs: '",
        ),
        ((*TEXT, "inputs", "text"), 3, "`graphs.model.text.inputs.text` must be a string"),
        (
            (*TEXT, "inputs"),
            {"words": "words"},
            "`graphs.model.text.inputs` must have names that nothing .*'words'",
        ),
        ((*TEXT, "outputs"), ["tags"], "`graphs.model.text.outputs` must have names that nothing else .* 'tags'"),
        ((*TEXT, "outputs"), ["a", "a"], "`graphs.model.text.outputs` must have names that nothing else"),
        ((*TEXT, "outputs", 0), "", r"`graphs.model.text.outputs\[0\]` must be a string that is not empty"),
    ],
)
def test_a_wrong_field_is_named(value, path, wrong, message):
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = wrong
    with pytest.raises(BundleError, match=f"bundle.json: {message}"):
        Manifest.from_dict(value)
