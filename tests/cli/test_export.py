import importlib
import json
import os
import signal

import numpy as np
import pytest

from keras_seq.cli.export import FORMATS


def test_the_formats_are_those_of_the_pipeline():
    from keras_seq.export.export_model import FORMATS as PIPELINE

    assert FORMATS == PIPELINE


def test_it_writes_a_verified_bundle_that_computes_what_the_model_computes(keras_seq_command, model_path, tmp_path):
    import keras

    from keras_seq.serving import Predictor

    (tmp_path / "labels.json").write_text('{"labels": ["A", "B", "C"]}')
    done = keras_seq_command(
        *("export", model_path, tmp_path / "out", "--formats", "onnx", "--streaming", "--portable", "--json"),
        *("--metadata", tmp_path / "labels.json"),
    )
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["path"] == str(tmp_path / "out")
    assert set(found["graphs"]) == {"model", "step"}
    assert found["saved_model"] is None
    assert found["onnx"]["portable"] is True
    assert found["metadata"] == {"labels": ["A", "B", "C"]}
    assert all(row["passed"] for row in found["parity"])
    words = np.array([[4, 8, 15, 16, 0], [2, 3, 0, 0, 0]], "int32")
    expected = keras.saving.load_model(model_path)(words).numpy()
    with Predictor(tmp_path / "out") as predictor:
        np.testing.assert_allclose(predictor.predict(words)["tags"], expected, atol=1e-5)


def test_progress_goes_to_stderr_and_tables_to_stdout(keras_seq_command, model_path, tmp_path):
    done = keras_seq_command("export", model_path, tmp_path / "out", "--formats", "onnx")
    assert done.code == 0, done.err
    assert done.err.splitlines() == [
        f"loading {model_path}",
        "running the Keras model",
        "writing model.onnx",
        "comparing with the Keras model",
    ]
    assert done.out.startswith(f"tagger: bundle {tmp_path / 'out'}\n")


def test_triton_gets_a_model_repository(keras_seq_command, model_path, tmp_path):
    done = keras_seq_command("export", model_path, tmp_path / "out", "--formats", "onnx", "--triton", "--json")
    assert done.code == 0, done.err
    assert set(json.loads(done.out)["files"]) == {
        "model.onnx",
        "triton/tagger/config.pbtxt",
        "triton/tagger/1/model.onnx",
    }
    done = keras_seq_command("export", model_path, tmp_path / "other", "--formats", "saved_model", "--triton")
    assert done.code == 2
    assert "Triton runs the ONNX graphs: with --triton, --formats needs onnx." in done.err


def test_ort_writes_each_graph_in_onnx_runtimes_own_format(keras_seq_command, model_path, tmp_path):
    options = ("--formats", "onnx", "--streaming", "--ort", "--json")
    done = keras_seq_command("export", model_path, tmp_path / "out", *options)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert {name: graph["variants"]["ort"]["file"] for name, graph in found["graphs"].items()} == {
        "model": "model.ort",
        "step": "step.ort",
    }
    assert "required_operators.config" in found["files"]
    assert {row["candidate"] for row in found["parity"]} >= {"model.ort", "step.ort"}
    (tmp_path / "words.json").write_text("[[4, 8, 15]]")
    options = ("-i", tmp_path / "words.json", "--json")
    answers = [
        json.loads(keras_seq_command("predict", tmp_path / "out", *options, *variant).out)["tags"][0]
        for variant in ((), ("--variant", "ort"))
    ]
    np.testing.assert_allclose(answers[1], answers[0], atol=1e-6)
    shown = [" ".join(line.split()) for line in keras_seq_command("inspect", tmp_path / "out").out.splitlines()]
    nodes = found["graphs"]["model"]["variants"]["ort"]["nodes"]
    assert f"variant ort: model.ort, {nodes} nodes" in shown
    done = keras_seq_command("predict", tmp_path / "out", *options, "--variant", "int4")
    assert done.code == 2
    assert "model.onnx has no variant 'int4'. It has: 'ort'." in done.err


def test_ort_needs_the_onnx_graphs(keras_seq_command, model_path, tmp_path):
    done = keras_seq_command("export", model_path, tmp_path / "out", "--formats", "saved_model", "--ort")
    assert done.code == 2
    assert "is made of the ONNX graphs: with --ort, --formats needs onnx." in done.err


def test_no_verify_leaves_the_comparison_out(keras_seq_command, model_path, tmp_path):
    done = keras_seq_command("export", model_path, tmp_path / "out", "--formats", "onnx", "--no-verify", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["parity"] == []


def test_a_difference_exits_1_lists_the_comparisons_and_leaves_nothing(keras_seq_command, model_path, tmp_path):
    options = ("--formats", "onnx", "--atol", "0", "--rtol", "0", "--json")
    done = keras_seq_command("export", model_path, tmp_path / "out", *options)
    assert done.code == 1
    found = json.loads(done.out)
    assert found["path"] is None
    assert [row["passed"] for row in found["parity"]] == [False]
    assert "1 of 1 comparisons differ, so nothing was written." in done.err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_export_exits_130_and_leaves_nothing(keras_seq_command, model_path, tmp_path, monkeypatch):
    def interrupt(results):
        raise KeyboardInterrupt

    module = importlib.import_module("keras_seq.export.export_model")  # its function hides it from dotted names
    monkeypatch.setattr(module, "check_parity", interrupt)
    done = keras_seq_command("export", model_path, tmp_path / "out", "--formats", "onnx")
    assert (done.code, done.out) == (130, "")
    assert done.err.splitlines()[-1] == "keras-seq export: interrupted; nothing is half written"
    assert list(tmp_path.iterdir()) == []


def test_a_terminated_export_leaves_nothing(keras_seq_command, model_path, tmp_path, monkeypatch):
    def terminate(results):
        os.kill(os.getpid(), signal.SIGTERM)

    module = importlib.import_module("keras_seq.export.export_model")
    monkeypatch.setattr(module, "check_parity", terminate)
    with pytest.raises(SystemExit) as ended:
        keras_seq_command("export", model_path, tmp_path / "out", "--formats", "onnx")
    assert ended.value.code == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_an_existing_bundle_is_kept_unless_told_otherwise(keras_seq_command, model_path, bundle_copy):
    before = (bundle_copy / "bundle.json").read_text()
    done = keras_seq_command("export", model_path, bundle_copy, "--formats", "onnx")
    assert done == (2, "", f"keras-seq export: {bundle_copy} exists already. Give --overwrite to replace it, or choose "
                           "another folder.\n")  # fmt: skip
    assert (bundle_copy / "bundle.json").read_text() == before
    done = keras_seq_command("export", model_path, bundle_copy, "--formats", "onnx", "--overwrite")
    assert done.code == 0, done.err
    assert not (bundle_copy / "step.onnx").exists()


def test_what_is_no_bundle_is_never_replaced(keras_seq_command, model_path, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    done = keras_seq_command("export", model_path, tmp_path, "--overwrite")
    assert (done.code, done.out) == (2, "")
    assert "so --overwrite will not replace it" in done.err.splitlines()[-1]
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_a_layer_that_looks_ahead_cannot_stream_and_is_named_on_one_line(keras_seq_command, tmp_path):
    import keras

    import keras_seq

    inputs = keras.Input((None, 5), name="sounds")
    keras.Model(inputs, keras_seq.Bidirectional(keras_seq.GRU(3), name="both")(inputs)).save(tmp_path / "both.keras")
    done = keras_seq_command("export", tmp_path / "both.keras", tmp_path / "out", "--streaming")
    assert (done.code, done.out) == (2, "")
    last = done.err.splitlines()[-1]
    assert last.startswith("keras-seq export: model")
    assert "layer 'both' (Bidirectional)" in last
    assert last.endswith("Leave --streaming out.")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--formats", "onnx,tflite"],
            "--formats takes onnx and saved_model, with commas between. Received: 'onnx,tflite'.",
        ),
        (["--formats", ","], "--formats takes onnx and saved_model"),
        (["--atol", "-1"], "Invalid value for '--atol'"),
        (["--metadata", "nowhere.json"], "--metadata nowhere.json cannot be read: No such file or directory."),
        (["--min-onnxruntime", "1.2"], "Received: --min-onnxruntime '1.2'. Ask for 1.14 or newer."),
    ],
)
def test_bad_options_exit_2_and_write_nothing(keras_seq_command, model_path, tmp_path, options, message):
    done = keras_seq_command("export", model_path, tmp_path / "out", *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels: A", "is not JSON: Expecting value"),
        ('{"loss": NaN}', "is not JSON: NaN is no JSON number"),
        ('["A", "B"]', "must hold a JSON object"),
    ],
)
def test_metadata_must_be_a_json_object(keras_seq_command, model_path, tmp_path, text, message):
    (tmp_path / "labels.json").write_text(text)
    done = keras_seq_command("export", model_path, tmp_path / "out", "--metadata", tmp_path / "labels.json")
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_without_the_extra_it_says_what_to_install(keras_seq_command, model_path, tmp_path, without_export_extra):
    done = keras_seq_command("export", model_path, tmp_path / "out")
    assert done == (2, "", "keras-seq export: exporting needs tensorflow, tf2onnx, not installed here: "
                           "pip install 'keras_seq[export]'\n")  # fmt: skip
