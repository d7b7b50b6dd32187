"""`keras-seq export --quantize`, and what the other commands then say of the bundle."""

import json

import numpy as np
import pytest

from keras_seq.cli.errors import CommandError
from keras_seq.cli.quantize_options import read_metric, read_validation_data
from tests.cli.conftest import TAGS, VOCABULARY


def mean_of(targets, outputs):
    return float(np.mean(outputs)) + 0 * len(targets)


def falling(targets, outputs, _calls=[3.0]):  # noqa: B006  one number after the other, whatever the outputs are
    _calls.append(_calls[-1] / 2)
    return _calls[-1]


@pytest.fixture
def wide_model_path(tmp_path_factory):
    """A tagger with weights that are worth quantising."""
    import keras

    import keras_seq

    keras.utils.set_random_seed(3)
    words = keras.Input((None,), dtype="int32", name="words")
    hidden = keras.layers.Embedding(VOCABULARY, 61, mask_zero=True, name="embedding")(words)
    hidden = keras_seq.GRU(17, return_sequences=True, name="gru")(hidden)
    path = tmp_path_factory.mktemp("models") / "wide.keras"
    keras.Model(words, keras.layers.Dense(TAGS, name="tags")(hidden), name="wide").save(path)
    return path


@pytest.fixture
def data_path(tmp_path):
    rng = np.random.default_rng(7)
    path = tmp_path / "data.npz"
    np.savez(path, words=rng.integers(1, VOCABULARY, (13, 5)).astype("int32"), targets=rng.integers(0, TAGS, (13, 5)))
    return path


def test_it_writes_the_variant_and_says_what_it_loses(keras_seq_command, wide_model_path, data_path, tmp_path):
    done = keras_seq_command(
        *("export", wide_model_path, tmp_path / "out", "--formats", "onnx", "--quantize", "int8", "--json"),
        *("--validation-data", data_path, "--metric", "accuracy", "--max-metric-drop", "1"),
    )
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["graphs"]["model"]["variants"]["int8"]["file"] == "model.int8.onnx"
    said = found["quantization"]["int8"]
    assert said["measured_on"] == "validation data, 13 rows"
    assert [(row["graph"], row["metric"]) for row in said["metrics"]] == [("model", "accuracy")]
    assert {row["layer"] for row in said["layers"]["model"] if row["form"] != "float"} == {"embedding", "gru/gru_cell"}

    shown = keras_seq_command("inspect", tmp_path / "out")
    assert "variant int8: model.int8.onnx" in shown.out
    assert "int8: tried on validation data, 13 rows, on a processor with" in shown.out
    assert "below 512 units the float node is faster" in shown.out

    (tmp_path / "rows.json").write_text("[[4, 8, 15]]")
    ran = keras_seq_command(
        "predict", tmp_path / "out", "--input", tmp_path / "rows.json", "--variant", "int8", "--json"
    )
    assert ran.code == 0, ran.err
    assert np.array(json.loads(ran.out)["tags"]).shape == (1, 3, TAGS)

    timed = keras_seq_command("bench", tmp_path / "out", "--rounds", "1", "--batch", "2", "--time", "3", "--json")
    rows = {row["name"]: row for row in json.loads(timed.out)["results"]}
    assert 0 < rows["variant int8, Predictor"]["max_abs_diff"] < 0.01


def test_without_data_the_table_says_what_is_not_known(keras_seq_command, wide_model_path, tmp_path):
    done = keras_seq_command("export", wide_model_path, tmp_path / "out", "--formats", "onnx", "--quantize", "fp16")
    assert done.code == 0, done.err
    assert "not known: what real inputs would lose: without `validation_data`" in " ".join(done.out.split())


def test_a_metric_that_drops_too_far_exits_1_and_leaves_nothing(
    keras_seq_command, wide_model_path, data_path, tmp_path
):
    done = keras_seq_command(
        *("export", wide_model_path, tmp_path / "out", "--formats", "onnx", "--quantize", "int8"),
        *("--validation-data", data_path, "--metric", f"{__name__}:falling", "--max-metric-drop", "0.1"),
    )
    assert done.code == 1
    assert "the model loses more than max_metric_drop=10.00% whatever stays in float32" in done.err
    assert "gru/gru_cell: outputs move by" in done.err
    assert not (tmp_path / "out").exists()


def test_a_quantisation_that_is_none_is_refused(keras_seq_command, model_path, tmp_path):
    done = keras_seq_command("export", model_path, tmp_path / "out", "--quantize", "int4")
    assert done.code == 2
    assert "`quantize` must be 'int8', 'fp16' or None. Received: 'int4'." in done.err


def test_data_is_read_by_name_with_targets_and_weights_behind(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, a=np.ones((3, 5)), b=np.zeros((3, 7)), targets=np.arange(3), sample_weight=np.ones(3))
    inputs, targets, weights = read_validation_data(str(path))
    assert {name: value.shape for name, value in inputs.items()} == {"a": (3, 5), "b": (3, 7)}
    assert (targets.tolist(), weights.tolist()) == ([0, 1, 2], [1, 1, 1])
    path = tmp_path / "data.json"
    path.write_text('{"a": [[1, 2]]}')
    assert [list(part) for part in read_validation_data(str(path))] == [["a"]]
    assert read_validation_data(None) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[1, 2]]", "must hold arrays by the names of the inputs, and `targets`"),
        ('{"targets": [1]}', "holds no inputs, `targets` alone"),
        ('{"a": [[1, 2], [3]]}', "the rows of 'a' differ in length. Pad them to one length"),
        ("[1", "is neither .npz nor JSON"),
    ],
)
def test_data_that_does_not_suit_is_refused(tmp_path, text, message):
    path = tmp_path / "data.json"
    path.write_text(text)
    with pytest.raises(CommandError, match=message):
        read_validation_data(str(path))


def test_a_file_that_is_not_there_is_named_with_its_option(tmp_path):
    with pytest.raises(CommandError, match=r"--validation-data .*gone.npz cannot be read"):
        read_validation_data(str(tmp_path / "gone.npz"))


def test_a_metric_is_a_name_or_a_function():
    assert read_metric("accuracy") == "accuracy"
    assert read_metric(None) is None
    assert read_metric(f"{__name__}:mean_of").__name__ == "mean_of"


@pytest.mark.parametrize("text", ["no_such_module:f", "json:no_such_function"])
def test_a_function_that_is_not_there_is_refused(text):
    with pytest.raises(CommandError, match=rf"--metric {text} cannot be had: .*MODULE:FUNCTION"):
        read_metric(text)
