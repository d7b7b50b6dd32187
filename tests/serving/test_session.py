"""The session: options, providers, and graphs that are not what the manifest says."""

import onnxruntime
import pytest

from keras_seq.serving import Bundle, BundleError, FileSpec, Predictor, ServingError
from keras_seq.serving.cpu_quota import cpu_quota
from keras_seq.serving.session import Session, choose_providers, disabled_optimizers, session_options


def test_options_suit_small_models_of_varying_shapes():
    options = session_options(3)
    assert options.intra_op_num_threads == 3
    assert options.inter_op_num_threads == 1
    assert not options.enable_mem_pattern
    assert options.get_session_config_entry("session.intra_op.spin_duration_us") == "100"


def test_fusions_that_cost_time_on_a_cpu_are_left_there_alone():
    assert disabled_optimizers(["CPUExecutionProvider"]) == ["SkipLayerNormFusion"]
    assert disabled_optimizers(["CUDAExecutionProvider", "CPUExecutionProvider"]) == []


def test_threads_are_the_quota_unless_given(masked_path):
    bundle = Bundle.load(masked_path)
    assert Session(bundle, "model").num_threads == cpu_quota()
    assert Session(bundle, "model", num_threads=1).num_threads == 1


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2"])
def test_a_wrong_number_of_threads_is_refused(masked_path, wrong):
    with pytest.raises(ServingError, match=rf"`num_threads` must be a positive integer or None. Received: {wrong!r}"):
        Predictor(masked_path, num_threads=wrong)


def test_providers_are_the_best_at_hand(monkeypatch):
    for available, expected in (
        (["CPUExecutionProvider"], ["CPUExecutionProvider"]),
        (
            ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
            ["CUDAExecutionProvider", "CPUExecutionProvider"],
        ),
    ):
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda available=available: available)
        assert choose_providers(None) == expected


@pytest.mark.parametrize("wrong", [["GPU"], []])
def test_an_unknown_provider_lists_those_there_are(masked_path, wrong):
    with pytest.raises(
        ServingError, match=r"must be execution providers of this ONNX Runtime .*'CPUExecutionProvider'"
    ):
        Predictor(masked_path, providers=wrong)


def test_a_provider_asked_for_is_used(masked_path):
    session = Session(Bundle.load(masked_path), "model", providers=["CPUExecutionProvider"])
    assert session.providers == ["CPUExecutionProvider"]


def test_a_graph_that_disagrees_with_the_manifest_is_refused(write_bundle, edit_manifest):
    def rename(value):
        value["graphs"]["model"]["inputs"][0]["name"] = "tokens"

    def retype(value):
        value["graphs"]["model"]["outputs"][0]["dtype"] = "float16"

    for name, change, side in (("renamed", rename, "inputs"), ("retyped", retype, "outputs")):
        folder = write_bundle(name)
        edit_manifest(folder, change)
        with pytest.raises(BundleError, match=rf"Graph 'model' .* does not have the {side} that bundle.json gives it"):
            Predictor(folder)


def test_a_graph_onnx_runtime_cannot_read_is_named(write_bundle, edit_manifest):
    folder = write_bundle()
    (folder / "model.onnx").write_bytes(b"not a graph")
    spec = FileSpec.of(folder / "model.onnx").to_dict()
    edit_manifest(folder, lambda value: value["files"].update({"model.onnx": spec}))
    with pytest.raises(BundleError, match=r"cannot load graph 'model' from .*asks for ONNX Runtime 1.17 or newer"):
        Predictor(folder)


def test_a_failing_run_says_which_graph_and_shapes(masked):
    import numpy as np

    with pytest.raises(ServingError, match=r"failed on graph 'model' with inputs of shape .*'words': \(1, 2\)"):
        masked._session.run({"words": np.ones((1, 2), "int32"), "shapes": np.ones((1, 3, 3), "float32")})
