import json


def test_a_good_bundle_passes_against_its_model(keras_seq_command, bundle_path, model_path):
    done = keras_seq_command("verify", bundle_path, "--model", model_path, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["passed"]
    assert {row["file"] for row in found["files"]} >= {"model.onnx", "step.onnx", "saved_model/saved_model.pb"}
    compared = {(row["candidate"], row["reference"]) for row in found["parity"]}
    assert {("model.onnx", "keras"), ("saved_model:serving_default", "keras"), ("step.onnx", "keras")} <= compared


def test_without_a_model_the_forms_are_compared_with_each_other(keras_seq_command, bundle_path):
    done = keras_seq_command("verify", bundle_path)
    assert done.code == 0, done.err
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert any(line.startswith("saved_model:serving_default model.onnx tags") for line in lines)
    assert "model.onnx ok" in lines


def test_another_model_differs_and_exits_1(keras_seq_command, bundle_path, other_model_path):
    done = keras_seq_command("verify", bundle_path, "--model", other_model_path, "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert not found["passed"]
    count = sum(not row["passed"] for row in found["parity"])
    assert count > 0
    last = done.err.splitlines()[-1]
    assert last.startswith(f"keras-seq verify: {count} of {len(found['parity'])} comparisons differ.")


def test_a_tolerance_can_be_given(keras_seq_command, bundle_path, other_model_path):
    done = keras_seq_command("verify", bundle_path, "--model", other_model_path, "--atol", "100")
    assert done.code == 0, done.err


def test_files_alone_are_checked_without_tensorflow(keras_seq_command, bundle_path, without_export_extra):
    done = keras_seq_command("verify", bundle_path, "--files-only", "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["parity"] == []


def test_without_the_extra_it_says_what_to_install_and_exits_2(keras_seq_command, bundle_path, without_export_extra):
    done = keras_seq_command("verify", bundle_path)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "keras-seq verify: comparing what the bundle computes needs tensorflow, tf2onnx, not installed here: "
        "pip install 'keras_seq[export]', or give --files-only to check sizes and digests alone.\n"
    )


def test_altered_truncated_and_missing_files_exit_1_and_are_named(keras_seq_command, bundle_copy):
    altered = bytearray((bundle_copy / "model.onnx").read_bytes())
    altered[-1] ^= 1
    (bundle_copy / "model.onnx").write_bytes(altered)
    size = (bundle_copy / "saved_model/saved_model.pb").stat().st_size
    (bundle_copy / "saved_model/saved_model.pb").write_bytes(b"short")
    (bundle_copy / "step.onnx").unlink()
    done = keras_seq_command("verify", bundle_copy, "--json")
    assert done.code == 1
    problems = {row["file"]: row["problem"] for row in json.loads(done.out)["files"] if row["problem"]}
    assert problems == {
        "model.onnx": "altered",
        "saved_model/saved_model.pb": f"5 bytes, not {size}",
        "step.onnx": "missing",
    }
    assert done.err.count("\n") == 1
    assert "3 of 6 files are not what the manifest says" in done.err


def test_a_bundle_of_one_form_asks_for_the_model(keras_seq_command, onnx_only_path):
    done = keras_seq_command("verify", onnx_only_path)
    assert (done.code, done.out) == (2, "")
    assert "in one form only (model.onnx), so there is nothing to compare it with. Give --model" in done.err


def test_a_model_with_other_inputs_is_bad_input(keras_seq_command, bundle_path, tmp_path):
    import keras

    keras.Sequential([keras.Input((None, 5), name="sounds"), keras.layers.LSTM(3)]).save(tmp_path / "sounds.keras")
    done = keras_seq_command("verify", bundle_path, "--model", tmp_path / "sounds.keras")
    assert (done.code, done.out) == (2, "")
    assert "but the model" in done.err.splitlines()[-1]


def test_files_only_and_model_exclude_each_other(keras_seq_command, bundle_path, model_path):
    done = keras_seq_command("verify", bundle_path, "--files-only", "--model", model_path)
    assert done.code == 2
    assert "--files-only runs nothing" in done.err


def test_a_damaged_manifest_is_bad_input(keras_seq_command, bundle_copy):
    (bundle_copy / "bundle.json").write_text("{")
    done = keras_seq_command("verify", bundle_copy, "--files-only")
    assert (done.code, done.out) == (2, "")
    assert "bundle.json is not JSON" in done.err
