import json

import pytest

BUNDLE = ["bundle, Predictor", "bundle, plain onnxruntime", "bundle, Stream, one chunk"]
FRAMEWORK = ["Keras, tf.function", "SavedModel", "Keras' own ONNX export"]
QUICK = ("--rounds", "1", "--batch", "2", "--time", "3")


def test_every_way_to_run_the_model_is_timed_and_gives_the_same_answer(keras_seq_command, bundle_path, model_path):
    done = keras_seq_command("bench", bundle_path, "--model", model_path, *QUICK, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["left_out"] == []
    assert [row["name"] for row in found["results"]] == [*BUNDLE, *FRAMEWORK]
    for row in found["results"]:
        assert (row["batch"], row["time"]) == (2, 3)
        assert row["median_seconds"] > 0
        assert row["max_abs_diff"] < 1e-5
    assert found["results"][0]["ratio"] == 1


def test_what_is_not_given_is_left_out_with_the_reason(keras_seq_command, onnx_only_path):
    done = keras_seq_command("bench", onnx_only_path, *QUICK, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert [row["name"] for row in found["results"]] == BUNDLE[:2]
    assert {row["name"]: row["reason"] for row in found["left_out"]} == {
        "Keras, tf.function": "no model: give --model model.keras",
        "SavedModel": "the bundle has none: export with saved_model among --formats",
        "Keras' own ONNX export": "no model: give --model model.keras",
    }


def test_where_tensorflow_is_not_installed_the_bundle_is_timed_alone(
    keras_seq_command, bundle_path, without_export_extra
):
    done = keras_seq_command("bench", bundle_path, *QUICK)
    assert done.code == 0, done.err
    for name in BUNDLE:
        assert name in done.out
    assert done.out.count("tensorflow, tf2onnx not installed: pip install 'keras_seq[export]'") == 3


def test_an_opponent_that_fails_is_left_out_with_its_error(keras_seq_command, bundle_path, model_path, monkeypatch):
    def refuse(self, *arguments, **options):
        raise NotImplementedError("no ONNX form\nof this layer")

    monkeypatch.setattr("keras.Model.export", refuse)
    done = keras_seq_command("bench", bundle_path, "--model", model_path, *QUICK, "--json")
    assert done.code == 0, done.err
    reason = "not possible: NotImplementedError: no ONNX form; of this layer"
    assert json.loads(done.out)["left_out"] == [{"name": "Keras' own ONNX export", "reason": reason}]


@pytest.mark.parametrize("option", ["--batch", "--time"])
@pytest.mark.parametrize("value", ["0", "1,x", "", "-1"])
def test_sizes_must_be_positive_whole_numbers(keras_seq_command, bundle_path, option, value):
    done = keras_seq_command("bench", bundle_path, option, value)
    assert (done.code, done.out) == (2, "")
    assert f"{option} takes positive whole numbers" in done.err


def test_a_model_that_is_not_there_is_said_at_once(keras_seq_command, bundle_path, tmp_path):
    done = keras_seq_command("bench", bundle_path, "--model", tmp_path / "nowhere.keras")
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
