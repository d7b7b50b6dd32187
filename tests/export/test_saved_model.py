import json
import subprocess
import sys

import numpy as np
import pytest

from keras_seq.export import ExportError, export_model
from keras_seq.export import saved_model as saved_model_module
from keras_seq.export.saved_model import saved_model_runner
from tests.export.models import FEATURES, TAGS, UNITS, VOCABULARY, tagger

pytestmark = pytest.mark.backend("tensorflow")

BATCH, TIME = 5, 7

PROGRAM = """
import json, sys
import numpy as np
import tensorflow as tf

path, inputs = sys.argv[1], np.load(sys.argv[2])
loaded = tf.saved_model.load(path)
whole, step = loaded.signatures["serving_default"], loaded.signatures["step"]
words, shapes = inputs["words"], inputs["shapes"]
results = {f"whole {k}": v.numpy() for k, v in whole(words=tf.constant(words), shapes=tf.constant(shapes)).items()}
states = {f"{name}": tf.zeros([len(words), UNITS]) for name in ("lstm_1.h", "lstm_1.c", "gru_1.h")}
tags = []
for start, stop in ((0, 1), (1, 4), (4, 7)):
    chunk = {"words": tf.constant(words[:, start:stop]), "shapes": tf.constant(shapes[:, start:stop])}
    outputs = step(**chunk, **states)
    states = {name: outputs[f"{name}.next"] for name in states}
    tags.append(outputs["tags"].numpy())
results["chunked tags"], results["chunked style"] = np.concatenate(tags, 1), outputs["style"].numpy()
np.savez(sys.argv[3], **results)
print(json.dumps(sorted(name for name in sys.modules if name.startswith("keras_seq"))))
"""


def read(path):
    proto = saved_model_module.saved_model_pb2.SavedModel()
    proto.ParseFromString((path / "saved_model.pb").read_bytes())
    return proto


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = tagger()
    report = export_model(
        model, tmp_path_factory.mktemp("saved") / "bundle", formats="saved_model", streaming=True, verify=False
    )
    return model, report.path / "saved_model"


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    words = rng.integers(1, VOCABULARY, (BATCH, TIME)).astype("int32")
    shapes = rng.normal(size=(BATCH, TIME, FEATURES)).astype("float32")
    for row, steps in ((1, [5, 6]), (2, [0, 1]), (3, [2, 4]), (4, range(TIME))):
        words[row, steps] = shapes[row, steps] = 0
    return {"words": words, "shapes": shapes}


def test_plain_tensorflow_runs_both_signatures_and_never_sees_keras_seq(exported, inputs, tmp_path):
    model, path = exported
    np.savez(tmp_path / "inputs.npz", **inputs)
    program = PROGRAM.replace("UNITS", str(UNITS))
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), str(tmp_path / "inputs.npz"), str(tmp_path / "results.npz")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    expected = dict(zip(("tags", "style"), model(list(inputs.values()), training=False), strict=True))
    assert expected["tags"].shape == (BATCH, TIME, TAGS)
    results = np.load(tmp_path / "results.npz")
    for way in ("whole", "chunked"):
        for name, value in expected.items():
            np.testing.assert_allclose(results[f"{way} {name}"], value, rtol=1e-5, atol=2e-6, err_msg=way)


def test_signatures_have_the_names_of_the_model(exported):
    signatures = read(exported[1]).meta_graphs[0].signature_def
    whole, step = signatures["serving_default"], signatures["step"]
    shapes = {name: [dim.size for dim in info.tensor_shape.dim] for name, info in whole.inputs.items()}
    assert shapes == {"words": [-1, -1], "shapes": [-1, -1, FEATURES]}
    assert sorted(whole.outputs) == ["style", "tags"]
    states = ["gru_1.h", "lstm_1.c", "lstm_1.h"]
    assert sorted(step.inputs) == [*states, "shapes", "words"]
    assert sorted(step.outputs) == sorted([*(f"{name}.next" for name in states), "style", "tags"])


def test_no_operation_is_tied_to_a_device_or_to_python(exported):
    graph = read(exported[1]).meta_graphs[0].graph_def
    found = {n.op for n in graph.node} | {n.op for f in graph.library.function for n in f.node_def}
    assert "While" in found or "StatelessWhile" in found  # the recurrence is there
    assert not [op for op in found if op.startswith(("Cudnn", "PyFunc", "EagerPyFunc"))]


def test_runner_gives_outputs_by_name(exported, inputs):
    model, path = exported
    results = saved_model_runner(path)(inputs)
    for name, value in zip(("tags", "style"), model(list(inputs.values()), training=False), strict=True):
        np.testing.assert_allclose(results[name], value, rtol=1e-5, atol=2e-6)


def test_kernel_of_one_device_is_refused(exported, tmp_path):
    proto = saved_model_module.saved_model_pb2.SavedModel()
    function = proto.meta_graphs.add().graph_def.library.function.add()
    function.node_def.add().op = "CudnnRNNV3"
    (tmp_path / "saved_model.pb").write_bytes(proto.SerializeToString())
    with pytest.raises(ExportError, match=r"NVIDIA GPUs only: it holds CudnnRNNV3\. .*use_cudnn=False"):
        saved_model_module._check_portable(tmp_path)
