"""A graph in ONNX Runtime's own format runs in a process of 200 MB, Python and libraries included, on one thread."""

import sys
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from keras_seq.serving import Bundle, FileSpec, Predictor
from keras_seq.serving.variant_spec import VariantSpec
from tests.serving.limited_process import predict_within

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems do not hold a process to a limit of its address space"
)
LIMIT_MB, UNITS = 200, 512


def as_copied_to_a_device(folder, target):
    """The manifest and `model.ort`, nothing else."""
    target.mkdir()
    for name in ("bundle.json", "model.ort"):
        (target / name).write_bytes((folder / name).read_bytes())
    return target


@pytest.fixture(scope="module")
def toy_path(unmasked_path, tmp_path_factory):
    """The toy tagger, whose `.ort` file is written here by ONNX Runtime alone."""
    folder = tmp_path_factory.mktemp("device") / "toy"
    folder.mkdir()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "model.ort")
    onnxruntime.InferenceSession(str(unmasked_path / "model.onnx"), options)
    manifest = Bundle.load(unmasked_path).manifest
    graph = replace(manifest.graphs["model"], variants={"ort": VariantSpec("model.ort")})
    files = {"model.onnx": manifest.files["model.onnx"], "model.ort": FileSpec.of(folder / "model.ort")}
    text = replace(manifest, graphs={"model": graph}, files=files).to_json()
    (folder / "bundle.json").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A bundle with an LSTM of 512 units, and what the runtime answers without a limit from the `.onnx` file."""
    import keras

    import keras_seq
    from keras_seq.export import export_model

    keras.utils.set_random_seed(3)
    signal = keras.Input((None, 61), name="signal")
    hidden = keras_seq.LSTM(UNITS, return_sequences=True)(signal)
    model = keras.Model(signal, keras.layers.Dense(11, name="tags")(hidden), name="tagger")
    folder = tmp_path_factory.mktemp("exported")
    export_model(model, folder / "whole", formats="onnx", ort_format=True)
    return folder / "whole", as_copied_to_a_device(folder / "whole", folder / "device")


def test_the_toy_tagger(toy_path, unmasked):
    inputs = {"words": [[4, 8, 15]], "shapes": [[[0.1, 0.2, 0.3]] * 3]}
    found = predict_within(LIMIT_MB, toy_path, "ort", inputs)
    expected = unmasked.predict({name: np.array(value, value_type(name)) for name, value in inputs.items()})
    np.testing.assert_allclose(found["answers"]["tags"], expected["tags"], atol=1e-6)
    assert 40 < found["resident_mb"] < LIMIT_MB, found  # under 40 not even the libraries would have been there
    assert found["resident_mb"] < found["reserved_mb"] < LIMIT_MB, found


def value_type(name):
    return "int32" if name == "words" else "float32"


def test_an_exported_model_with_512_units(exported):
    whole, device = exported
    signal = np.random.default_rng(5).normal(size=(1, 53, 61)).astype("float32")
    found = predict_within(LIMIT_MB, device, "ort", {"signal": signal.tolist()})
    np.testing.assert_allclose(found["answers"]["tags"], Predictor(whole).predict(signal)["tags"], atol=1e-5)
    weights = 4 * UNITS * (61 + UNITS) * 4 / 1e6
    assert weights < found["resident_mb"] < LIMIT_MB, found
    assert found["reserved_mb"] < LIMIT_MB, found


@pytest.mark.parametrize("megabytes", [40, 120])
def test_with_too_little_it_says_so(exported, megabytes):
    _, device = exported
    with pytest.raises(
        AssertionError, match=rf"^{megabytes} MB are too little for device \(ort\): (exit|signal) .+, .+"
    ):
        predict_within(megabytes, device, "ort", {"signal": [[[0.0] * 61]]})
