"""Every recurrent layer with weights in 8 bits: which node it becomes, and that masks mean what they meant."""

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.export.quantization import choice
from keras_seq.export.quantization.quantized_graph import quantized_graph
from keras_seq.export.quantization.weight_owners import WeightOwners
from tests.export.graphs import FEATURES, MASK, TIME, UNITS, random_array, recurrent_nodes, run_onnx, to_onnx
from tests.export.graphs import with_random_weights as with_weights
from tests.export.kinds import OURS

pytestmark = pytest.mark.backend("tensorflow")

WRAPPED = {
    "Bidirectional GRU": lambda **options: keras_seq.Bidirectional(keras_seq.GRU(UNITS, **options)),
    "Bidirectional PeepholeLSTM": lambda **options: keras_seq.Bidirectional(keras_seq.PeepholeLSTM(UNITS, **options)),
    "StackedRNN": lambda **options: keras_seq.StackedRNN((UNITS, 3), "gru", **options),
    "backwards": lambda **options: keras_seq.SimpleRNN(UNITS, go_backwards=True, **options),
}
MAKERS = {name: kind.make_layer for name, kind in OURS.items()} | WRAPPED
SCANNED = {"SimpleRNN-tanh", "SimpleRNN-relu", "backwards"} | {name for name in MAKERS if "GRU" in name}
X = np.where(MASK[..., None], random_array(*MASK.shape, FEATURES), 0).astype("float32")


@pytest.fixture(scope="module")
def layers():
    return {name: make(return_sequences=True) for name, make in MAKERS.items()}


@pytest.fixture(scope="module")
def protos(layers):
    """All layers side by side on one masked input, in float32 and quantised, and what became of each."""
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("LSTM_UNITS", "SCAN_UNITS", "STORED_ELEMENTS", "PRODUCT_ELEMENTS"):
            patch.setattr(choice, limit, 1)
        keras.utils.set_random_seed(3)
        inputs = keras.Input((None, FEATURES), name="x")
        x = keras.layers.Masking()(inputs)
        model = with_weights(keras.Model(inputs, [layer(x) for layer in layers.values()]), seed=5)
        proto = to_onnx(model)
        return proto, *quantized_graph(proto, 8, WeightOwners(model))


@pytest.fixture(scope="module")
def answers(protos):
    whole, small, _ = protos
    return {
        name: pair for name, *pair in zip(MAKERS, *(run_onnx(proto, {"x": X}) for proto in (whole, small)), strict=True)
    }


def test_each_layer_becomes_a_node_of_integers(protos):
    whole, small, decisions = protos
    assert {one.form for one in decisions} == {"int8"}
    assert recurrent_nodes(whole) == {"GRU": 8, "LSTM": 4, "RNN": 3}
    assert recurrent_nodes(small) == {"Scan": 8 + 3 + 1}  # one GRU reads both ways
    assert [node.op_type for node in small.graph.node].count("DynamicQuantizeLSTM") == 4


def test_each_decision_names_its_layer(protos, layers):
    _, _, decisions = protos
    named = {one.layer.split("/")[0] for one in decisions}
    assert named == {layer.name for layer in layers.values()}


@pytest.mark.parametrize("name", MAKERS)
def test_it_is_close_to_the_float_layer(answers, name):
    """7 bits of activations, 5 steps of a layer that amplifies little: some hundredths of numbers of about 1."""
    whole, small = answers[name]
    assert whole.shape == small.shape
    size = max(1, np.abs(whole).max())
    assert 1e-6 < np.abs(whole - small).max() < 0.1 * size
    assert np.abs(whole - small).mean() < 0.02 * size


@pytest.mark.parametrize("name", MAKERS)
def test_masked_steps_mean_what_they_meant(answers, name):
    """Wherever the float layer gives zeros, or what it gave a step before, so does the quantised one, to the bit."""
    whole, small = answers[name]
    assert whole.shape[:2] == (len(MASK), TIME)
    zeros = ~whole.any(-1)
    held = np.all(whole[:, 1:] == whole[:, :-1], axis=-1)
    assert zeros[-1].all()  # a row that is masked whole
    assert held[:-1].sum() >= 4
    assert not small[zeros].any()
    np.testing.assert_array_equal(small[:, 1:][held], small[:, :-1][held])


@pytest.mark.parametrize("name", sorted(SCANNED))
def test_a_row_alone_is_the_same_but_for_the_scale_that_it_shares_with_others(protos, answers, name):
    _, small, _ = protos
    position = list(MAKERS).index(name)
    alone = run_onnx(small, {"x": X[1:2]})[position]
    whole, together = answers[name]
    limit = 0.1 * max(1, np.abs(whole).max())  # as far as from the float layer
    assert np.abs(alone[0] - together[1]).max() < limit
