"""A graph with options, limits and several hypotheses a row, through `Predictor`: NumPy's answers, row by row."""

import json

import numpy as np
import pytest

from keras_seq.serving import Bundle, BundleError, InputError, Manifest, Predictor
from keras_seq.serving.options import check_options
from tests.serving.toy_decoder import DECODING, LIMIT, MAX_LENGTH, OPTIONS, VOCABULARY, decode, write_decoder

PADDED = np.array([[4, 8, 15, 16], [22, 3, 0, 0]])
ROWS = [[4, 8, 15, 16], [22, 3], [7], [1, 2]]


def _assert_row(answer, row, expected):
    for name, value in expected.items():
        assert answer[name][row].shape == value.shape
        np.testing.assert_allclose(answer[name][row], value, rtol=1e-6)


def test_a_padded_batch_gives_arrays(decoder):
    answer = decoder.predict(PADDED)
    assert answer["ids"].shape == (2, 3, 6)
    assert answer["alignments"].shape == (2, 3, 6, 4)
    _assert_row(answer, 0, decode(PADDED[0]))
    np.testing.assert_array_equal(answer["ids"][1, :, :4], decode(PADDED[1, :2])["ids"])
    assert (answer["ids"][1, :, 4:] == 0).all()


@pytest.mark.parametrize("options", [None, {}, {"max_length": 3}, {"alpha": 0}, {"max_length": 17, "alpha": 2.5}])
def test_options_take_the_place_of_the_defaults(decoder, options):
    answer = decoder.predict(np.array(ROWS[:1]), options)
    _assert_row(answer, 0, decode(np.array(ROWS[0]), **(options or {})))
    assert answer["finished"].all() == (options != {"max_length": 3})


def test_the_defaults_are_those_of_the_manifest(tmp_path, edit_manifest):
    folder = write_decoder(tmp_path / "dates")
    edit_manifest(folder, lambda value: value["graphs"]["generate"]["options"][0].update(default=2))
    with Predictor(folder, graph="generate") as predictor:
        _assert_row(predictor.predict(np.array(ROWS[:1])), 0, decode(np.array(ROWS[0]), max_length=2))


@pytest.mark.parametrize("pads", [True, False], ids=["padded", "in groups"])
@pytest.mark.parametrize("attends", [True, False])
def test_each_row_of_a_list_has_the_answer_it_gets_alone(tmp_path, pads, attends):
    rng = np.random.default_rng(3)
    rows = [rng.integers(1, VOCABULARY, size=n) for n in rng.choice([1, 2, 5, 13], size=11)]
    with Predictor(write_decoder(tmp_path / "dates", pads=pads, attends=attends), graph="generate") as predictor:
        answer = predictor.predict(rows, {"max_length": 7})
        assert ("alignments" in answer) == attends
        assert all(isinstance(value, list) for value in answer.values())
        for i, row in enumerate(rows):
            expected = decode(row, max_length=7)
            if not attends:
                del expected["alignments"]
            _assert_row(answer, i, expected)


def test_unknown_options_list_the_valid_ones(decoder, masked):
    with pytest.raises(InputError, match=r"has no option 'beams'. Valid names: 'max_length', 'alpha'"):
        decoder.predict(ROWS, {"beams": 5})
    with pytest.raises(InputError, match=r"has no option 'alpha'. Valid names: none"):
        masked.predict({"words": [[1]], "shapes": np.ones((1, 1, 3))}, {"alpha": 1})
    with pytest.raises(InputError, match=r"`options` must be a dict of option name to number. Received: list"):
        decoder.predict(ROWS, ["alpha"])
    with pytest.raises(InputError, match=rf"Option 'max_length' must be from 1 to 17. Received: {MAX_LENGTH + 10}"):
        decoder.predict(ROWS, {"max_length": MAX_LENGTH + 10})


def test_every_option_gets_a_value():
    values = check_options(None, OPTIONS)
    assert {name: (value.item(), str(value.dtype)) for name, value in values.items()} == {
        "max_length": (MAX_LENGTH, "int32"),
        "alpha": (0.5, "float32"),
    }


def test_sources_longer_than_the_model_allows_are_refused(decoder):
    longest = np.ones((1, LIMIT), "int32")
    decoder.predict(longest)
    message = (
        rf"Input 'source': 'time' is {LIMIT + 1} long, and the model takes {LIMIT} at most. Expected: int32 .*Cut it"
    )
    with pytest.raises(InputError, match=message):
        decoder.predict(np.ones((2, LIMIT + 1), "int32"))
    decoder.predict([longest[0], [1]])
    with pytest.raises(InputError, match=rf"'source': row 1: 'time' is {LIMIT + 4} long, and the model takes {LIMIT}"):
        decoder.predict([[1], [1] * (LIMIT + 4)])


def test_a_predictor_tells_its_options(decoder):
    assert decoder.options == OPTIONS
    assert "(source: int32 (batch, time), max_length=11, alpha=0.5) -> (ids: int32 (" in repr(decoder)
    assert "too>" not in repr(decoder)


def test_who_runs_the_model_of_an_encoder_decoder_is_told_of_generate(write_bundle, decoder_path):
    """The toy tagger stands for the model, which takes targets beside sources."""
    folder = write_bundle()
    manifest, decoder = Bundle.load(folder).manifest, Bundle.load(decoder_path)
    manifest.graphs["generate"] = decoder.graph("generate")
    manifest.files["generate.onnx"] = decoder.manifest.files["generate.onnx"]
    (folder / "generate.onnx").write_bytes((decoder_path / "generate.onnx").read_bytes())
    (folder / "bundle.json").write_text(manifest.to_json())
    with Predictor(folder, num_threads=1) as predictor:
        assert repr(predictor).endswith("1 threads; it has the graph 'generate' too>")
        with pytest.raises(InputError, match=r"To get hypotheses from 'source' alone, make Predictor\(..., graph='gen"):
            predictor.predict([[1, 2]])


def test_a_bundle_that_only_decodes_names_its_graph(decoder_path, masked_path):
    with pytest.raises(BundleError, match=r"no graph 'model'. It has: 'generate'. Give graph='generate'."):
        Predictor(decoder_path)
    with pytest.raises(BundleError, match=r"no graph 'generate'. It has: 'model', 'step'. Export .* with `generate=`"):
        Predictor(masked_path, graph="generate")


def test_the_manifest_keeps_options_limits_and_decoding(decoder_path):
    value = json.loads((decoder_path / "bundle.json").read_text())
    manifest = Manifest.from_dict(value)
    graph = manifest.graphs["generate"]
    assert (graph.options, graph.limits, graph.decoding) == (OPTIONS, {"time": LIMIT}, DECODING)
    assert manifest.to_dict() == value


def test_without_them_the_manifest_is_as_before_and_null_is_the_same(masked_path):
    value = json.loads((masked_path / "bundle.json").read_text())
    assert not {"options", "limits", "decoding"} & set(value["graphs"]["model"])
    expected = Manifest.from_dict(value)
    value["graphs"]["model"] |= {"options": None, "limits": None, "decoding": None}
    assert Manifest.from_dict(value) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"options": {}}, r"`graphs.generate.options` must be a list or null"),
        ({"options": [3]}, r"`graphs.generate.options\[0\]` must be an object"),
        ({"options": [{"name": "alpha"}]}, r"`graphs.generate.options\[0\].dtype` is missing"),
        (
            {"options": [{"name": "source", "dtype": "int32", "default": 1}]},
            r"`graphs.generate` uses a name twice among its inputs, options and states: 'source'",
        ),
        ({"limits": []}, r"`graphs.generate.limits` must be an object or null"),
        ({"limits": {"time": 2.5}}, r"`graphs.generate.limits.time` must be an integer"),
        ({"limits": {"time": 0}}, r"`graphs.generate.limits.time` must be at least 1. Received: 0"),
        ({"limits": {"target": 9}}, r"`graphs.generate.limits` must be about dynamic .*: 'batch', 'time'.*'target'"),
        ({"decoding": "beam"}, r"`graphs.generate.decoding` must be an object or null. Received: 'beam'"),
    ],
)
def test_a_wrong_field_is_named(decoder_path, change, message):
    value = json.loads((decoder_path / "bundle.json").read_text())
    value["graphs"]["generate"] |= change
    with pytest.raises(BundleError, match=message):
        Manifest.from_dict(value)


@pytest.mark.parametrize(
    "option",
    [
        {"name": "beta", "dtype": "float32", "default": 0.5},  # not there
        {"name": "alpha", "dtype": "int32", "default": 1},  # of another type
        {"name": "beams", "dtype": "int32", "default": 1},  # a constant that cannot be overridden
    ],
)
def test_options_the_graph_does_not_have_are_refused(tmp_path, edit_manifest, option):
    folder = write_decoder(tmp_path / "dates")
    edit_manifest(folder, lambda value: value["graphs"]["generate"].update(options=[option]))
    with pytest.raises(
        BundleError, match=r"'generate' .* does not have the options .*Expected: .*'max_length': 'int32'"
    ):
        Predictor(folder, graph="generate")
