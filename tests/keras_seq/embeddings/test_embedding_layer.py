import json

import keras
import numpy as np
import pytest

from keras_seq.embeddings import WordVectors, coverage, to_embedding_layer
from tests.keras_seq.embeddings.toy_vectors import random_vectors

SPECIAL = ["<pad>", "<start>", "<end>", "<unk>"]
VOCABULARY = [*SPECIAL, "w3", "elsewhere", "w1", "nowhere", "w50"]


def table(**settings):
    layer = random_vectors().to_embedding_layer(VOCABULARY, **settings)
    return keras.ops.convert_to_numpy(layer.embeddings)


def test_words_get_their_vectors_and_padding_zeros():
    vectors = random_vectors()
    for missing in ("random", "zeros"):
        rows = table(missing=missing)
        assert rows.shape == (9, 7)
        for index in (4, 6, 8):
            np.testing.assert_array_equal(rows[index], vectors[VOCABULARY[index]])
        assert not rows[0].any()
        assert rows[[1, 2, 3, 5, 7]].any(axis=1).all() == (missing == "random")
        assert rows[[1, 2, 3, 5, 7]].any() == (missing == "random")


def test_missing_words_are_drawn_in_the_scale_of_the_found_ones_by_seed():
    vectors = random_vectors(num_words=103, features=31)
    vocabulary = [*SPECIAL, *vectors.words, *(f"missing{number}" for number in range(400))]
    draw = [to_embedding_layer(vectors, vocabulary, seed=seed).get_weights()[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draw[0], draw[1])
    assert (draw[0][107:] != draw[2][107:]).all()
    found, drawn = draw[0][4:107], draw[0][107:]
    assert drawn.mean() == pytest.approx(0, abs=0.05)
    assert np.sqrt((drawn**2).mean()) == pytest.approx(np.sqrt((found**2).mean()), rel=0.03)


def test_a_vector_of_the_unknown_token_is_taken_and_one_of_padding_is_not():
    vectors = WordVectors(["<unk>", "<pad>", "sun"], [[1, 2], [3, 4], [5, 6]])
    rows = vectors.to_embedding_layer([*SPECIAL, "sun"], missing="zeros").get_weights()[0]
    assert rows.tolist() == [[0, 0], [0, 0], [0, 0], [1, 2], [5, 6]]


@pytest.mark.smoke
@pytest.mark.parametrize("trainable", [True, False])
def test_the_layer_trains_or_does_not_and_masks_padding(trainable):
    layer = random_vectors().to_embedding_layer(VOCABULARY, trainable=trainable, name="words")
    assert layer.name == "words"
    inputs = keras.Input((None,), dtype="int32")
    outputs = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(layer(inputs)))
    model = keras.Model(inputs, outputs)
    before = layer.get_weights()[0]
    ids = np.array([[4, 6, 0], [5, 8, 3]], "int32")
    mask = keras.ops.convert_to_numpy(layer.compute_mask(ids))
    assert mask.tolist() == [[True, True, False], [True, True, True]]
    model.compile("sgd", "mse")
    model.fit(ids, np.ones((2, 1), "float32"), verbose=0)
    changed = (layer.get_weights()[0] != before).any(axis=1)
    assert changed.tolist() == [trainable and index in (3, 4, 5, 6, 8) for index in range(9)]
    assert random_vectors().to_embedding_layer(VOCABULARY, mask_zero=False).compute_mask(ids) is None


def test_a_saved_model_holds_the_vectors_once_and_not_in_its_configuration(tmp_path):
    layer = random_vectors(features=101).to_embedding_layer(VOCABULARY, trainable=False)
    model = keras.Sequential([keras.Input((None,), dtype="int32"), layer])
    assert len(json.dumps(model.get_config())) < 4000
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.layers[0].get_weights()[0], layer.get_weights()[0])
    assert not again.layers[0].trainable


def test_coverage_counts_words_and_names_the_missing():
    covered = coverage(random_vectors(), VOCABULARY)
    assert covered.missing == ("elsewhere", "nowhere")
    assert (covered.found, covered.total) == (3, 5)
    assert str(covered) == "3 of 5 words have a vector, 2 have none, such as 'elsewhere', 'nowhere'"
    assert str(coverage(random_vectors(), [*SPECIAL, "w2"])) == "1 of 1 words have a vector, 0 have none"


def test_a_tokenizer_serves_as_vocabulary():
    class Tokenizer:
        vocabulary = tuple(VOCABULARY)

    np.testing.assert_array_equal(random_vectors().to_embedding_layer(Tokenizer()).get_weights()[0], table())
    assert coverage(random_vectors(), Tokenizer()).total == 5


@pytest.mark.parametrize(
    ("vocabulary", "settings", "error", "message"),
    [
        (["w1", "w2"], {}, ValueError, "must begin with '<pad>', .* words after them. Received: 'w1', 'w2'"),
        (SPECIAL, {}, ValueError, "have words after them. Received: '<pad>', '<start>', '<end>', '<unk>'"),
        ([], {}, ValueError, "Received: nothing"),
        ([*SPECIAL, "w1", "w2", "w1"], {}, ValueError, "has each token once. Received 'w1' twice"),
        ("words", {}, TypeError, "Expected a tokenizer, or the tokens of a vocabulary. Received: 'words'"),
        (5, {}, TypeError, "Expected a tokenizer, .* Received: 5"),
        ([*SPECIAL, "W1", "W2"], {}, ValueError, "None of the 2 words .* 'W1', 'W2'; the vectors have 'w0', .*lower-"),
        (VOCABULARY, {"missing": "mean"}, ValueError, "`missing` must be 'random' or 'zeros'. Received: 'mean'"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_refused(vocabulary, settings, error, message):
    with pytest.raises(error, match=message):
        random_vectors().to_embedding_layer(vocabulary, **settings)
