"""Loading a bundle: a damaged, foreign or newer one is refused by file or field, before anything runs."""

import shutil

import pytest

from keras_seq.serving import Bundle, BundleError, FileSpec, Predictor, Stream


def test_loads_what_was_written(masked_path):
    bundle = Bundle.load(str(masked_path))
    assert bundle.path == masked_path
    assert bundle.manifest.name == "tagger"
    assert bundle.metadata == {"task": "tagging"}
    assert bundle.graph("step").states[0].name == "lstm.h"
    assert bundle.file("model.onnx") == masked_path / "model.onnx"
    assert str(bundle) == f"bundle 'tagger' in {masked_path} (graphs: 'model', 'step')"


def test_can_be_moved(masked_path, tmp_path):
    Bundle.load(shutil.copytree(masked_path, tmp_path / "elsewhere"))


def test_a_folder_that_is_no_bundle(tmp_path):
    with pytest.raises(
        BundleError, match=r"is not a bundle: it has no bundle.json. Give the folder that .*export_model"
    ):
        Bundle.load(tmp_path)


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(BundleError, match=r"nowhere does not exist. Give the folder"):
        Bundle.load(tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder(masked_path):
    with pytest.raises(BundleError, match=r"model.onnx is not a folder. Give the folder"):
        Bundle.load(masked_path / "model.onnx")


def test_a_missing_file_is_named(write_bundle):
    folder = write_bundle()
    (folder / "step.onnx").unlink()
    with pytest.raises(
        BundleError, match=r"lacks its file 'step.onnx' .*Export the model again, or copy the bundle anew"
    ):
        Bundle.load(folder)
    bundle = Bundle.load(folder, check_files=False)
    with pytest.raises(BundleError, match=r"lacks 'step.onnx', the file of graph 'step'"):
        Stream(bundle)


def test_a_copy_with_one_file_of_a_graph_loads_where_files_go_unchecked(write_bundle, edit_manifest):
    folder = write_bundle()

    def change(value):
        for name, graph in value["graphs"].items():
            graph["variants"] = {"int8": {"file": f"{name}.int8.onnx", "nodes": 11, "operators": {"LSTM": 1}}}
            value["files"][f"{name}.int8.onnx"] = value["files"][f"{name}.onnx"]

    edit_manifest(folder, change)
    for name in ("model", "step"):
        (folder / f"{name}.onnx").rename(folder / f"{name}.int8.onnx")
    bundle = Bundle.load(folder, check_files=False)
    inputs = {"words": [[4, 8]], "shapes": [[[1, 2, 3], [4, 5, 6]]]}
    assert Predictor(bundle, variant="int8").predict(inputs)["tags"][0].shape[0] == 2
    with pytest.raises(
        BundleError, match=r"lacks 'model.onnx', the file of graph 'model' .* ask for what is there: variant='int8'\."
    ):
        Predictor(bundle)
    with pytest.raises(BundleError, match=r"lacks its file 'model.onnx'"):
        Bundle.load(folder)
    (folder / "step.int8.onnx").unlink()
    assert Predictor(Bundle.load(folder, check_files=False), variant="int8").predict(inputs)
    (folder / "model.int8.onnx").unlink()
    with pytest.raises(BundleError, match=r"lacks its file 'model.onnx'"):
        Bundle.load(folder, check_files=False)


def test_a_truncated_file_is_named(write_bundle):
    folder = write_bundle()
    path = folder / "model.onnx"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BundleError, match=rf"'model.onnx' is truncated: expected {size} bytes, received {size - 5}"):
        Bundle.load(folder)


def test_a_file_that_grew_is_named(write_bundle):
    folder = write_bundle()
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(BundleError, match=r"'model.onnx' is longer than it was"):
        Bundle.load(folder)


def test_an_altered_byte_is_noticed_unless_files_go_unchecked(write_bundle):
    folder = write_bundle()
    data = bytearray((folder / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.onnx").write_bytes(data)
    with pytest.raises(BundleError, match=r"'model.onnx' was altered: expected SHA-256 \w{64}, received \w{64}"):
        Bundle.load(folder)
    Bundle.load(folder, check_files=False)


def test_a_file_that_cannot_be_read_is_named(write_bundle, monkeypatch):
    folder = write_bundle()

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(FileSpec, "of", refuse)
    with pytest.raises(BundleError, match=r"Permission denied: '.*model.onnx'"):
        Bundle.load(folder)


def test_a_file_beside_the_graphs_is_checked_too(write_bundle, edit_manifest):
    folder = write_bundle()
    edit_manifest(folder, lambda value: value["files"].update({"vocabulary.txt": {"sha256": "0" * 64, "bytes": 3}}))
    with pytest.raises(BundleError, match=r"lacks its file 'vocabulary.txt'"):
        Bundle.load(folder)
    Bundle.load(folder, check_files=False)  # no graph needs it


@pytest.mark.parametrize("name", ["../secret", "/etc/hosts", "a/../../b", "C:\\x", "a\\b", "a//b", ".", ""])
def test_a_path_out_of_the_bundle_is_refused(write_bundle, edit_manifest, name):
    folder = write_bundle()

    def change(value):
        value["files"][name] = value["files"].pop("model.onnx")

    edit_manifest(folder, change)
    with pytest.raises(BundleError, match=r"`files` must be a relative path inside the bundle.*do not use it"):
        Bundle.load(folder)


def test_a_manifest_cut_short_is_not_json(write_bundle):
    folder = write_bundle()
    path = folder / "bundle.json"
    path.write_text(path.read_text()[:-30])
    with pytest.raises(BundleError, match=rf"{folder}: bundle.json is not JSON: .* damaged or cut short"):
        Bundle.load(folder)


def test_a_manifest_that_is_no_text(write_bundle):
    folder = write_bundle()
    (folder / "bundle.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BundleError, match=r"bundle.json is not UTF-8 text"):
        Bundle.load(folder)


def test_the_error_names_the_folder_and_the_field(write_bundle, edit_manifest):
    folder = write_bundle()
    edit_manifest(folder, lambda value: value["graphs"]["model"]["inputs"][0].pop("dtype"))
    message = (
        rf"{folder}: bundle.json: `graphs.model.inputs\[0\].dtype` is missing. Fields of `graphs.model.inputs\[0\]`"
    )
    with pytest.raises(BundleError, match=message):
        Bundle.load(folder)
