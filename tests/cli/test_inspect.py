import json


def test_json_is_the_manifest_and_nothing_else(keras_seq_command, bundle_path):
    done = keras_seq_command("inspect", bundle_path, "--json")
    assert (done.code, done.err) == (0, "")
    manifest = json.loads((bundle_path / "bundle.json").read_text())
    assert json.loads(done.out) == {"path": str(bundle_path), **manifest}


def test_tables_show_signatures_states_layers_comparisons_metadata_and_files(keras_seq_command, bundle_path):
    done = keras_seq_command("inspect", bundle_path)
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "input words int32 (batch, time) ids 0 to 22, padded with 0" in lines
    assert "output tags float32 (batch, time, 3)" in lines
    assert "state lstm.c float32 (batch, 7) lstm.c → lstm.c.next" in lines
    assert "SavedModel with the signatures serving_default, step" in lines
    assert any(line.startswith("lstm LSTM native") for line in lines)
    assert any(line.startswith("model.onnx keras tags") and line.endswith("ok") for line in lines)
    assert "task tagging" in lines
    size = (bundle_path / "model.onnx").stat().st_size / 1000
    assert any(line.startswith(f"model.onnx {size:.1f} kB") for line in lines)
    assert "operators: " in done.out
    assert "1 LSTM" in done.out


def test_states_that_grow_and_the_longest_stream_are_shown(keras_seq_command, bundle_copy):
    manifest = json.loads((bundle_copy / "bundle.json").read_text())
    step = manifest["graphs"]["step"]
    step["states"][0]["shape"] = ["batch", 2, "past", 5]
    step["limits"] = manifest["graphs"]["model"]["limits"] = {"time": 97}
    (bundle_copy / "bundle.json").write_text(json.dumps(manifest))
    lines = [" ".join(line.split()) for line in keras_seq_command("inspect", bundle_copy).out.splitlines()]
    assert "state lstm.h float32 (batch, 2, past, 5) lstm.h → lstm.h.next, grows from 0 steps" in lines
    remarks = "ids 0 to 22, padded with 0, time up to 97"
    assert f"input words int32 (batch, time) {remarks}" in lines
    assert f"input words int32 (batch, time) {remarks} in all chunks together" in lines


def test_long_metadata_is_cut_on_the_terminal_only(keras_seq_command, bundle_copy):
    manifest = json.loads((bundle_copy / "bundle.json").read_text())
    manifest["metadata"] = {"vocabulary": [f"word{i}" for i in range(997)]}
    (bundle_copy / "bundle.json").write_text(json.dumps(manifest))
    assert "997 entries: ['word0'" in keras_seq_command("inspect", bundle_copy).out
    assert json.loads(keras_seq_command("inspect", bundle_copy, "--json").out)["metadata"] == manifest["metadata"]


def test_what_is_no_bundle_exits_2_with_one_line(keras_seq_command, tmp_path):
    done = keras_seq_command("inspect", tmp_path, "--json")
    expected = f"keras-seq inspect: {tmp_path} is not a bundle: it has no bundle.json. "
    assert done == (2, "", expected + "Give the folder that `keras-seq export` wrote.\n")


def test_a_damaged_manifest_names_the_field(keras_seq_command, bundle_copy):
    manifest = json.loads((bundle_copy / "bundle.json").read_text())
    del manifest["graphs"]["model"]["inputs"]
    (bundle_copy / "bundle.json").write_text(json.dumps(manifest))
    done = keras_seq_command("inspect", bundle_copy)
    assert (done.code, done.out) == (2, "")
    assert "graphs.model.inputs" in done.err
    assert done.err.count("\n") == 1
