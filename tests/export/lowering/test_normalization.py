import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from tests.export.attention_graphs import PORTABLE, converted, counts
from tests.export.graphs import random_array, run_keras, run_onnx, with_random_weights

pytestmark = pytest.mark.backend("tensorflow")

FEATURES = 7


def model_of(*layers):
    x = keras.Input((None, FEATURES), name="x")
    return with_random_weights(keras.Model([x], [layer(x) for layer in layers]))


def assert_right(model, proto):
    inputs = {"x": 5 + random_array(3, 5, FEATURES)}
    for a, b in zip(run_onnx(proto, inputs), run_keras(model, inputs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_layer_normalisation_is_one_node_whatever_weights_it_has():
    kinds = [(True, True), (True, False), (False, True), (False, False)]
    model = model_of(*(keras.layers.LayerNormalization(scale=a, center=b, epsilon=0.1) for a, b in kinds))
    proto, _ = converted(model)
    assert counts(proto) == {"LayerNormalization": 4}
    assert_right(model, proto)


def test_nodes_hold_what_the_layer_was_given():
    (node,) = converted(model_of(keras.layers.LayerNormalization(epsilon=0.25)))[0].graph.node
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    assert attributes == {"axis": -1, "epsilon": 0.25}


def test_root_mean_square_is_what_onnxruntime_makes_one_node_of(tmp_path):
    model = model_of(keras.layers.RMSNormalization(epsilon=0.1))
    proto, _ = converted(model, PORTABLE)
    assert_right(model, proto)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    fused = onnx.load(tmp_path / "fused.onnx")
    assert counts(fused) == {"SimplifiedLayerNormalization": 1}


class Doubled(keras.layers.LayerNormalization):
    def call(self, inputs):
        return 2 * super().call(inputs)


def test_a_call_of_its_own_is_left_to_the_converter():
    model = model_of(Doubled())
    proto, _ = converted(model)
    assert counts(proto)["LayerNormalization"] == 0
    assert_right(model, proto)


def test_an_axis_that_is_not_the_last_is_left_to_the_converter():
    x = keras.Input((5, FEATURES), name="x")
    model = with_random_weights(keras.Model([x], keras.layers.LayerNormalization(axis=1)(x)))
    proto, _ = converted(model)
    assert counts(proto)["LayerNormalization"] == 0
    assert_right(model, proto)
