import keras
import numpy as np
import pytest

import keras_seq

BATCH = 3


def states(*sizes):
    random = np.random.default_rng(0)
    return [random.normal(size=(BATCH, size)).astype("float32") for size in sizes]


def numpy(tensors):
    return [keras.ops.convert_to_numpy(tensor) for tensor in tensors]


def test_states_that_agree_are_handed_on_without_weights():
    bridge = keras_seq.StateBridge([5, 7])
    for received, expected in zip(numpy(bridge(states(5, 7))), states(5, 7), strict=True):
        np.testing.assert_array_equal(received, expected)
    assert not bridge.projects
    assert bridge.weights == []


@pytest.mark.smoke
@pytest.mark.parametrize("given", [(7, 5), (5, 7, 2), (5,)])
def test_other_states_are_each_made_of_all(given):
    bridge = keras_seq.StateBridge([5, 7])
    received = numpy(bridge(states(*given)))
    kernels, biases = bridge.get_weights()[::2], bridge.get_weights()[1::2]
    assert bridge.projects
    for state, kernel, bias in zip(received, kernels, biases, strict=True):
        np.testing.assert_allclose(state, np.tanh(np.concatenate(states(*given), axis=1) @ kernel + bias), atol=1e-6)


def test_a_bare_tensor_is_one_state_and_can_be_projected_always():
    bridge = keras_seq.StateBridge([5], activation=None, project="always")
    (vector,) = states(5)
    kernel, _ = (bridge.build((None, 5)), bridge.get_weights())[1]
    (received,) = numpy(bridge(vector))
    np.testing.assert_allclose(received, vector @ kernel, atol=1e-6)


def test_shapes_are_known_beforehand():
    bridge = keras_seq.StateBridge([5, 7])
    symbolic = bridge([keras.Input((3,)), keras.Input((11,))])
    assert [tuple(tensor.shape) for tensor in symbolic] == [(None, 5), (None, 7)]


def test_the_config_goes_round():
    bridge = keras_seq.StateBridge((5, 7), "relu", "always", keras.initializers.RandomNormal(seed=3), name="b")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(bridge))
    assert type(copy) is keras_seq.StateBridge
    assert copy.get_config() == bridge.get_config()
    assert copy.sizes == [5, 7]


def test_states_of_another_rank_are_refused():
    with pytest.raises(ValueError, match=r"must have shapes \(batch, size\), the size known. Received: \[\(2, 3, 5\)"):
        keras_seq.StateBridge([5]).build([(2, 3, 5)])


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"`sizes` must be a list of at least one positive integer.*sizes=\[0\]"):
        keras_seq.StateBridge([0])
    with pytest.raises(ValueError, match=r'`project` must be "auto" or "always"\. Received: project=True'):
        keras_seq.StateBridge([5], project=True)
