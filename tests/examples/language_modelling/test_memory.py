import keras
import numpy as np
import pytest

from language_modelling.agreement import SUBJECT, sentences
from language_modelling.choices import NETWORKS
from language_modelling.memory import build_network, remember, subject_gradient

pytestmark = pytest.mark.backend("tensorflow")  # the gradients are taken by its tape


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_reads_words_and_gives_a_logit(name):
    network = build_network(name, 7, longest=50)
    assert network(np.array([[0, 12, 1]] * 3)).shape == (3, 1)
    assert type(network.layers[1]).__name__ == name.split(",")[0]


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_gates_of_a_long_memory_keep_the_state_for_one_to_so_many_words(kind):
    """What a gate with the bias b keeps of the state is sigmoid(b), and 1 / (1 - sigmoid(b)) the words it is kept."""
    bias = np.array(build_network(f"{kind}, long memory", 97, longest=50).layers[1].weights[-1])
    kept = bias[0, :97] if kind == "GRU" else bias[97 : 2 * 97]
    words = 1 + np.exp(kept)
    assert words.min() > 1
    assert 40 < words.max() < 50
    if kind == "LSTM":
        np.testing.assert_array_equal(bias[:97], -kept)
        assert not bias[2 * 97 :].any()
    else:
        assert not bias[0, 97:].any()
        assert not bias[1].any()


def test_the_gradient_at_the_subject_is_that_of_finite_differences():
    network = build_network("GRU", 5, longest=9)
    ids, verbs = sentences(3, 5, np.random.default_rng(1))
    vectors = np.array(network.layers[0](ids))

    def losses(read):
        logits = np.asarray(network.layers[2](network.layers[1](read)))[:, 0]
        return np.logaddexp(0, np.where(verbs == 1, -logits, logits))

    slopes = np.empty((3, vectors.shape[-1]))
    for feature in range(vectors.shape[-1]):
        moved = [vectors.copy(), vectors.copy()]
        for array, change in zip(moved, (0.01, -0.01), strict=True):
            array[:, SUBJECT, feature] += change
        slopes[:, feature] = (losses(moved[0]) - losses(moved[1])) / 0.02
    expected = np.linalg.norm(slopes, axis=-1).mean()
    assert subject_gradient(network, ids, verbs) == pytest.approx(expected, rel=1e-2)


def test_gradients_of_a_plain_network_vanish_and_those_of_a_long_memory_do_not():
    random = np.random.default_rng(2)
    near, far = sentences(31, 5, random), sentences(31, 60, random)
    keras.utils.set_random_seed(3)
    networks = {name: build_network(name, 16, longest=60) for name in NETWORKS}
    falls = {name: subject_gradient(net, *far) / subject_gradient(net, *near) for name, net in networks.items()}
    assert max(falls["SimpleRNN"], falls["GRU"]) < 1e-6
    assert falls["LSTM"] < 1e-3
    assert min(falls["GRU, long memory"], falls["LSTM, long memory"]) > 1e-2


def test_a_near_subject_is_remembered_and_training_ends_when_there_is_nothing_left_to_learn():
    outcome = remember("SimpleRNN", 4, longest=4, units=16, steps=160, seed=5)
    assert outcome.accuracy > 0.99
    assert outcome.steps < 160
    assert outcome.gradient > 1e-3
