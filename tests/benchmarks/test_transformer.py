"""The opponents of `benchmarks/transformer.py`: from the same weights they compute the same, padding included."""

from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STEPS = 11


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def weights():
    from transformer_opponents.weights import Sizes, random_weights

    return random_weights(
        Sizes(num_layers=2, features=12, num_heads=3, feed_forward_units=17, vocabulary=29, max_length=31), seed=5
    )


@pytest.fixture
def ids():
    ids = np.random.default_rng(7).integers(3, 29, (5, 13), "int32")
    ids[1, 8:] = 0
    ids[3, 1:] = 0
    return ids


@pytest.mark.backend("tensorflow")
def test_every_encoder_computes_the_same(weights, ids, tmp_path):
    from transformer_opponents.ctranslate2_models import ct2_encoder
    from transformer_opponents.encoder_graph import hand_encoder, openvino_encoder
    from transformer_opponents.keras_layers import keras_encoder, keras_function
    from transformer_opponents.torch_modules import torch_encoder

    reference = keras_function(keras_encoder(weights))(ids)
    ways = {
        "hand-made": hand_encoder(weights, 1),
        "OpenVINO": openvino_encoder(weights, 1),
        "PyTorch": torch_encoder(weights, 1),
        "CTranslate2": ct2_encoder(weights, tmp_path / "encoder", "float32", 1),
    }
    there = ids != 0
    for name, run in ways.items():
        np.testing.assert_allclose(run(ids)[there], reference[there], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("num_beams", [1, 3])
def test_every_decoder_finds_the_same(weights, ids, tmp_path, num_beams):
    from transformer_opponents.ctranslate2_models import Ct2Translator
    from transformer_opponents.generate_graph import hand_generate
    from transformer_opponents.torch_modules import torch_generate

    found, scores = hand_generate(weights, num_beams, STEPS, 1)(ids)
    torch_found, torch_scores = torch_generate(weights, num_beams, STEPS, 1)(ids)
    np.testing.assert_array_equal(torch_found, found)
    np.testing.assert_allclose(torch_scores, scores, rtol=1e-4)
    translator = Ct2Translator(weights, tmp_path / "model", "float32", num_beams, STEPS)
    np.testing.assert_array_equal(translator.decode(1)(ids)[0], found)
    np.testing.assert_array_equal(translator.decode(1, workers=2)(ids)[0], found)


def test_hypotheses_that_end_are_scored_by_their_length(weights, ids):
    from transformer_opponents.generate_graph import hand_generate
    from transformer_opponents.torch_modules import torch_generate
    from transformer_opponents.weights import END_ID

    weights.output.bias[END_ID] = 1.0
    found, scores = hand_generate(weights, 3, STEPS, 1)(ids)
    torch_found, torch_scores = torch_generate(weights, 3, STEPS, 1)(ids)
    assert 0 < np.count_nonzero((found == END_ID).any(axis=1) & (found == 0).any(axis=1)) < len(ids)
    np.testing.assert_array_equal(torch_found, found)
    np.testing.assert_allclose(torch_scores, scores, rtol=1e-4)


def test_a_way_that_differs_is_not_timed():
    from transformer import _check
    from transformer_candidates import CT2_INT8, KERAS, TORCH

    outputs = np.ones((2, 3, 5), "float32")
    with pytest.raises(RuntimeError, match=r"'PyTorch' differs from 'Keras, tf\.function' by 1\.0e-03"):
        _check({KERAS: outputs, TORCH: outputs + 1e-3}, "outputs")
    ids, scores = np.array([[3, 4], [5, 6]]), np.array([-0.5, -0.7])
    with pytest.raises(RuntimeError, match=r"'PyTorch' finds other hypotheses than 'Keras, tf\.function', in row 1"):
        _check({KERAS: (ids, scores), TORCH: (np.array([[3, 4], [5, 7]]), scores)}, "ids")
    with pytest.raises(RuntimeError, match="'PyTorch' gives other scores"):
        _check({KERAS: (ids, scores), TORCH: (ids, scores + 0.01)}, "ids")
    notes = _check({KERAS: (ids, scores), CT2_INT8: (np.array([[3, 4], [5, 7]]), None)}, "ids")
    assert notes == {CT2_INT8: "1 of 2 hypotheses are those of float32"}
