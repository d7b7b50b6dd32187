import keras
import numpy as np
import pytest

from keras_seq.serving.text import WordCharacterTokenizer, WordTokenizer
from tagging.choices import MODELS
from tagging.features import Features, pad
from tagging.model import READERS, build_tagger
from tagging.sentence import Sentence
from tagging.vocabularies import features_of, learn_tokenizers

LABELS = 5
FEATURES = Features(
    WordTokenizer(vocabulary=tuple(f"w{i}" for i in range(31))),
    WordCharacterTokenizer(vocabulary=tuple(f"c{i}" for i in range(23)), num_first=3, num_last=3),
    list("ABCDE"),
)


@pytest.fixture(scope="module", params=sorted(READERS))
def model(request):
    keras.utils.set_random_seed(3)
    return build_tagger(FEATURES, units=8, reader=request.param)


def sentence(length, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(1, 31, length).astype("int32"), random.integers(0, 23, (length, 6)).astype("int32")


def test_probabilities_come_for_every_word(model):
    words, characters = sentence(11)
    tags = model.predict_on_batch({"words": words[None], "characters": characters[None]})
    assert tags.shape == (1, 11, LABELS)
    np.testing.assert_allclose(tags.sum(-1), 1, rtol=1e-5)


def test_padding_changes_no_answer(model):
    short, long = sentence(5, seed=1), sentence(13, seed=2)
    alone = model.predict_on_batch({"words": short[0][None], "characters": short[1][None]})
    batch = {"words": pad([short[0], long[0]]), "characters": pad([short[1], long[1]])}
    np.testing.assert_allclose(model.predict_on_batch(batch)[0, :5], alone[0], atol=1e-6)
    batch["characters"][0, 5:] = 17  # nor do the characters of padding
    np.testing.assert_allclose(model.predict_on_batch(batch)[0, :5], alone[0], atol=1e-6)


def test_every_reader_can_be_chosen():
    assert sorted(MODELS) == sorted(READERS)


def test_the_reader_gets_the_mask_of_the_words_alone(model, monkeypatch):
    reader = model.get_layer("reader")
    reader = getattr(reader, "forward_layer", reader)
    masks = []
    call = reader.call
    monkeypatch.setattr(
        reader, "call", lambda *args, **kwargs: (masks.append(kwargs["mask"]), call(*args, **kwargs))[1]
    )
    words, characters = np.array([[4, 2, 0], [3, 0, 0]], "int32"), np.full((2, 3, 6), 2, "int32")
    model({"words": words, "characters": characters})
    np.testing.assert_array_equal(np.asarray(masks[0]), words > 0)


def test_context_reaches_both_ends(model):
    words, characters = sentence(7)
    before = model.predict_on_batch({"words": words[None], "characters": characters[None]})
    for changed, read in ((0, 6), (6, 0)):
        other = words.copy()
        other[changed] = 1 + other[changed] % 30
        after = model.predict_on_batch({"words": other[None], "characters": characters[None]})
        assert abs(after - before)[0, read].max() > 1e-7


def test_loss_and_accuracy_leave_padding_out(model):
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    words, characters = pad([sentence(5)[0], sentence(13)[0]]), pad([sentence(5)[1], sentence(13)[1]])
    labels = np.random.default_rng(4).integers(0, LABELS, words.shape)
    results = []
    for label_of_padding in (0, 3):
        loss, accuracy = model.evaluate(
            {"words": words, "characters": characters}, np.where(words > 0, labels, label_of_padding), verbose=0
        )
        results.append((loss, accuracy))
    tags = model.predict_on_batch({"words": words, "characters": characters})
    valid = words > 0
    rows = tags[valid]
    expected_loss = -np.log(rows[np.arange(len(rows)), labels[valid]]).mean()
    expected_accuracy = (rows.argmax(-1) == labels[valid]).mean()
    np.testing.assert_allclose(results, [(expected_loss, expected_accuracy)] * 2, rtol=1e-5)


def test_sizes_follow_the_vocabularies(model):
    sentences = [Sentence(("a", "b"), ("X", "Y"))]
    other = build_tagger(features_of(learn_tokenizers(sentences, min_count=1), sentences), units=3)
    assert other.output_shape == (None, None, 2)
    assert model.output_names == ["tags"]
