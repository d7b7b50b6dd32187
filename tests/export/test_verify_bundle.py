import json
import shutil

import keras
import numpy as np
import onnx
import pytest

import keras_seq
from keras_seq.export import ExportError, export_model, verify_bundle
from keras_seq.serving import BundleError, FileSpec
from tests.export.models import FEATURES, UNITS, signal_model, tagger

pytestmark = pytest.mark.backend("tensorflow")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(20)
    return tagger()


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    return export_model(model, tmp_path_factory.mktemp("verify") / "bundle", streaming=True, verify=False).path


@pytest.fixture
def bundle(exported, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(exported, tmp_path / "bundle")


def alter_weight(bundle, graph="model"):
    """Makes a weight wrong, and the manifest right about it: the bundle is whole but computes something else."""
    file = bundle / f"{graph}.onnx"
    proto = onnx.load(file)
    (weight,) = [tensor for tensor in proto.graph.initializer if tensor.name == "lstm_1.W"]
    value = onnx.numpy_helper.to_array(weight).copy()
    value[0, 0] += 0.1
    weight.CopyFrom(onnx.numpy_helper.from_array(value, weight.name))
    file.write_bytes(proto.SerializeToString())
    manifest = json.loads((bundle / "bundle.json").read_text())
    spec = FileSpec.of(file)
    manifest["files"][file.name] = {"sha256": spec.sha256, "bytes": spec.bytes}
    (bundle / "bundle.json").write_text(json.dumps(manifest))


def verdicts(results):
    return {(result.reference, result.candidate, result.output): result.passed for result in results}


def test_with_the_model_everything_is_compared_with_keras(exported, model):
    found = verdicts(verify_bundle(exported, model))
    assert all(found.values())
    assert {pair[:2] for pair in found} == {
        ("keras", "model.onnx"),
        ("keras", "saved_model:serving_default"),
        ("keras", "step.onnx"),
        ("keras", "saved_model:step"),
        ("step.onnx at once", "step.onnx in chunks"),
        ("saved_model:step at once", "saved_model:step in chunks"),
    }
    assert {pair[2] for pair in found} == {"tags", "style"}


def test_without_the_model_its_own_forms_are_compared_with_each_other(exported):
    found = verdicts(verify_bundle(exported))
    assert all(found.values())
    assert ("model.onnx", "saved_model:serving_default", "tags") in found
    assert not [pair for pair in found if pair[0] == "keras"]


def test_wrong_weight_is_reported_not_raised(bundle, model):
    alter_weight(bundle)
    found = verdicts(verify_bundle(bundle, model))
    assert not found["keras", "model.onnx", "tags"]
    assert found["keras", "saved_model:serving_default", "tags"]
    assert found["keras", "step.onnx", "tags"]


def test_wrong_weight_is_seen_without_the_model_too(bundle):
    alter_weight(bundle, "step")
    found = verdicts(verify_bundle(bundle))
    assert not found["model.onnx", "step.onnx", "tags"]
    assert found["model.onnx", "saved_model:serving_default", "tags"]


def test_altered_file_is_refused_before_anything_runs(bundle, model):
    file = bundle / "saved_model" / "saved_model.pb"
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(BundleError, match=r"saved_model/saved_model\.pb"):
        verify_bundle(bundle, model)


def test_missing_file_is_refused(bundle):
    (bundle / "step.onnx").unlink()
    with pytest.raises(BundleError, match=r"step\.onnx"):
        verify_bundle(bundle)


def test_other_model_is_refused_if_it_takes_other_inputs(exported):
    other = signal_model(keras_seq.LSTM(UNITS))
    with pytest.raises(ExportError, match=rf"bundle takes .*'words'.* but the model 'model' takes .*{FEATURES}"):
        verify_bundle(exported, other)


def test_other_model_of_the_same_inputs_differs(exported, model):
    other = keras.models.clone_model(model)
    other.set_weights([weight + np.float32(0.01) for weight in model.get_weights()])
    found = verdicts(verify_bundle(exported, other))
    assert not any(passed for pair, passed in found.items() if pair[0] == "keras")


def test_bundle_of_onnx_alone_is_at_least_run(tmp_path):
    model = signal_model(keras_seq.GRU(UNITS, return_sequences=True))
    path = export_model(model, tmp_path / "bundle", formats="onnx", verify=False).path
    assert verify_bundle(path) == []
    assert all(verdicts(verify_bundle(path, model)).values())


def test_bundle_without_a_graph_cannot_be_verified(tmp_path):
    model = signal_model(keras_seq.GRU(UNITS))
    path = export_model(model, tmp_path / "bundle", formats="saved_model", verify=False).path
    with pytest.raises(ExportError, match="has no ONNX graph, so its manifest does not say what the model takes"):
        verify_bundle(path, model)
