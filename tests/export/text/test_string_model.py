"""Models that take strings are cut behind their tokenizers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_seq
from keras_seq.export import ExportError
from keras_seq.export.text.string_model import behind_tokenizers
from keras_seq.text import WordTokenizer
from tests.export.text.graphs import SPECIAL

pytestmark = pytest.mark.backend("tensorflow")

UNITS, FEATURES = 3, 5


def tokenizer(**settings):
    return WordTokenizer([*SPECIAL, "the", "cat", "sat"], **settings)


def encoder(words):
    embedded = keras.layers.Embedding(7, FEATURES, mask_zero=True)(words)
    return keras_seq.GRU(UNITS)(embedded)


def two_texts():
    title, body = (keras.Input((), dtype="string", name=name) for name in ("title", "body"))
    extra = keras.Input((2,), name="extra")
    joined = keras.layers.Concatenate()([encoder(tokenizer()(title)), extra, encoder(tokenizer()(body))])
    return keras.Model({"title": title, "extra": extra, "body": body}, {"score": keras.layers.Dense(2)(joined)})


def test_several_texts_and_numbers():
    model = two_texts()
    cut = behind_tokenizers(model)
    assert cut.names == {"title_ids": "title", "body_ids": "body"}
    assert sorted(tensor.name for tensor in cut.model.inputs) == ["body_ids", "extra", "title_ids"]
    texts = {"title": ["the cat", "sat"], "body": ["the", "the cat SAT"]}
    extra = np.ones((2, 2), "float32")
    whole = model({**{name: tf.constant(value) for name, value in texts.items()}, "extra": tf.constant(extra)})
    given = {f"{name}_ids": tokenizer()(value).numpy() for name, value in texts.items()} | {"extra": extra}
    behind = cut.model([tf.constant(given[tensor.name]) for tensor in cut.model.inputs])
    np.testing.assert_allclose(behind["score"], whole["score"], rtol=1e-6)


def test_sequential_model():
    layers = [tokenizer(), keras.layers.Embedding(7, FEATURES, mask_zero=True), keras_seq.GRU(UNITS)]
    model = keras.Sequential([keras.Input((), dtype="string", name="review"), *layers], name="reviews")
    cut = behind_tokenizers(model)
    assert (cut.model.name, cut.names, list(cut.tokenizers)) == ("reviews", {"ids": "review"}, ["ids"])
    np.testing.assert_allclose(cut.model(np.array([[4, 5]])), model(tf.constant(["the cat"])), rtol=1e-6)


@pytest.mark.parametrize("layers", [[keras.Input((None, 2)), keras_seq.GRU(3)], [keras_seq.GRU(3)]], ids=len)
def test_models_without_strings_are_left_alone(layers):
    model = keras.Sequential(layers)
    cut = behind_tokenizers(model)
    assert cut.model is model
    assert not cut.tokenizers
    assert cut.add_to(None) is None


def test_a_tokenizer_that_pads_nothing_is_refused():
    words = keras.Input((), dtype="string", name="words")
    model = keras.Model(words, tokenizer(ragged=True, name="cutter")(words))
    with pytest.raises(ExportError, match=r"'words' takes strings.*ragged=False.*'cutter' \(WordTokenizer\)"):
        behind_tokenizers(model)


def test_a_tokenizer_beside_the_one_inside_is_refused():
    cut = behind_tokenizers(two_texts())
    for given in (tokenizer(), {"title": tokenizer()}, {"body_ids": tokenizer()}):
        with pytest.raises(ExportError, match=r"\['.*'\] are layers of model .*Leave it out"):
            cut.add_to(given)
    other = {"extra": tokenizer()}
    assert set(cut.add_to(other)) == {"extra", "title_ids", "body_ids"}
