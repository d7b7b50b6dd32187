"""Taggers that see words and how they are spelt: one text for two inputs."""

import json
import shutil

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

import keras_seq
from keras_seq.export import ExportError, ParityError, export_model, verify_bundle
from keras_seq.serving import Bundle, Predictor
from keras_seq.serving.file_spec import FileSpec
from keras_seq.text import CharTokenizer, WordCharacterTokenizer, WordTokenizer
from keras_seq.text.vocabulary import SPECIAL_TOKENS
from tests.export.graphs import with_random_weights

pytestmark = pytest.mark.backend("tensorflow")

LINES = ["The cat sat on the mat .", "A dog barked at John Smith", "\u00dcber 5 Stra\u00dfen , \u4e2d\u6587"]
WORDS = WordTokenizer.from_lines(LINES)
SPELLING = WordCharacterTokenizer.from_lines(LINES, num_first=3, num_last=2)
LABELS = ["O", "PERSON", "PLACE"]
TEXTS = ["John SMITH saw the Cat's mat.", "", "a dog ."]
WIDTH = 5


def tagger(with_words=True):
    """Inputs `words` and `characters`, or the latter alone; three tags a step."""
    words = keras.Input((None,), dtype="int32", name="words")
    characters = keras.Input((None, WIDTH), dtype="int32", name="characters")
    letters = keras.layers.Embedding(SPELLING.vocabulary_size, 3)(characters)
    steps = keras.layers.Reshape((-1, WIDTH * 3))(letters)
    if with_words:
        embedding = keras.layers.Embedding(WORDS.vocabulary_size, 7, mask_zero=True)
        steps = keras.layers.Concatenate()([embedding(words), steps])
        steps = keras_seq.GRU(11, return_sequences=True)(steps, mask=embedding.compute_mask(words))
    tags = keras.layers.Dense(len(LABELS), activation="softmax", name="tags")(steps)
    inputs = {"words": words, "characters": characters} if with_words else characters
    return with_random_weights(keras.Model(inputs, tags, name="tagger"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The model, its bundle in both formats, and the report."""
    keras.utils.set_random_seed(3)
    model, path = tagger(), tmp_path_factory.mktemp("tagger") / "bundle"
    return model, path, export_model(model, path, tokenizer={"words": WORDS, "characters": SPELLING}, labels=LABELS)


def scores_of(model):
    """What Keras says, row by row without padding."""
    rows = model.predict_on_batch({"words": WORDS(TEXTS).numpy(), "characters": SPELLING(TEXTS).numpy()})
    return [row[: len(ids)] for row, ids in zip(rows, WORDS.encode(TEXTS), strict=True)]


def test_plain_texts_are_tagged(bundle):
    model, path, _ = bundle
    with Predictor(path) as predictor:
        answer = predictor.predict_text(TEXTS)
    assert answer["tokens"][0] == ["John", "SMITH", "saw", "the", "Cat", "'", "s", "mat", "."]
    for row, expected, labels in zip(answer["tags"], scores_of(model), answer["tags.labels"], strict=True):
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6)
        assert labels == [LABELS[i] for i in expected.argmax(axis=-1)]
    assert len({label for row in answer["tags.labels"] for label in row}) > 1


def test_the_graph_takes_ids_alone_and_gives_labels(bundle):
    model, path, report = bundle
    session = onnxruntime.InferenceSession(path / "model.onnx", providers=["CPUExecutionProvider"])
    assert {given.name for given in session.get_inputs()} == {"words", "characters"}
    feeds = {"words": WORDS(TEXTS).numpy(), "characters": SPELLING(TEXTS).numpy()}
    (labels,) = session.run(["labels"], feeds)
    expected = [[LABELS[i] for i in row.argmax(axis=-1)] for row in scores_of(model)]
    assert labels.tolist() == [row + [""] * (9 - len(row)) for row in expected]
    graph = Bundle.load(path).graph("model")
    assert (graph.text.inputs, graph.text.outputs) == ({}, ("labels",))
    assert "'characters', whose graphs take ids alone: no operator of ONNX Runtime" in str(report)
    assert json.loads((path / "tokenizers/characters.json").read_text("utf-8")) == SPELLING.to_dict()


def test_the_saved_model_takes_strings(bundle):
    model, path, _ = bundle
    signature = tf.saved_model.load(path / "saved_model").signatures["serve_text"]
    results = signature(words_text=tf.constant(TEXTS), characters_text=tf.constant(TEXTS))
    assert set(results) == {"tags", "tokens", "labels"}
    for row, expected in zip(results["tags"].numpy(), scores_of(model), strict=True):
        np.testing.assert_allclose(row[: len(expected)], expected, rtol=1e-5, atol=1e-6)
    assert results["tokens"].numpy()[2, :4].tolist() == [b"a", b"dog", b".", b""]


def test_words_that_are_known_by_their_characters_alone_have_labels_and_tokens(tmp_path):
    report = export_model(tagger(with_words=False), tmp_path / "bundle", tokenizer=SPELLING, labels=LABELS)
    assert {row.candidate for row in report.parity} >= {"serving", "saved_model:serve_text on texts"}
    ids = SPELLING(TEXTS).numpy()
    session = onnxruntime.InferenceSession(tmp_path / "bundle/model.onnx", providers=["CPUExecutionProvider"])
    (labels,) = session.run(["labels"], {"characters": ids})
    np.testing.assert_array_equal(labels == "", ids[:, :, 0] == 0)
    signature = tf.saved_model.load(tmp_path / "bundle/saved_model").signatures["serve_text"]
    results = signature(text=tf.constant(TEXTS))
    assert [token.decode() for token in results["tokens"].numpy()[2]] == ["a", "dog", ".", *[""] * 6]
    assert [[label.decode() for label in row] for row in results["labels"].numpy()] == labels.tolist()


def test_verification_finds_characters_that_were_exchanged(bundle, tmp_path):
    model, path, _ = bundle
    assert "serving" in {row.candidate for row in verify_bundle(path, model)}
    wrong = tmp_path / "bundle"
    shutil.copytree(path, wrong)
    vocabulary = [*SPELLING.vocabulary[:4], *reversed(SPELLING.vocabulary[4:])]
    WordCharacterTokenizer(vocabulary, num_first=3, num_last=2).save(wrong / "tokenizers/characters.json")
    manifest = json.loads((wrong / "bundle.json").read_text("utf-8"))
    manifest["files"]["tokenizers/characters.json"] = FileSpec.of(wrong / "tokenizers/characters.json").to_dict()
    (wrong / "bundle.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(ParityError, match=r"saved_model:serve_text"):
        verify_bundle(wrong)


def test_ids_that_differ_between_training_and_serving_end_the_export(monkeypatch, tmp_path):
    from keras_seq.serving.text.word_character_tokenizer import WordCharacterTokenizer as Twin

    spelt = Twin._spelt
    monkeypatch.setattr(Twin, "_spelt", lambda self, ids: spelt(self, ids[:4]))  # the end of longer words is lost
    with pytest.raises(ParityError, match=r"in the tokenizer of input 'characters', but .* in serving"):
        export_model(tagger(), tmp_path / "bundle", formats="onnx", tokenizer={"words": WORDS, "characters": SPELLING})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("tokenizers", "message"),
    [
        (
            {"characters": WordCharacterTokenizer(SPELLING.vocabulary, num_first=3, num_last=3)},
            r"'characters', which takes int32 \(batch, time, 5\).*ids \(batch, time, 6\).*keras.Input\(\(None, 6\)",
        ),
        ({"characters": WORDS}, r"'characters', which takes int32 \(batch, time, 5\).*becomes ids \(batch, time\),"),
        (
            {"characters": WordCharacterTokenizer(SPECIAL_TOKENS, num_first=3, num_last=2)},
            r"'characters' has a vocabulary of 4, but the model has embeddings for",
        ),
        (
            {
                "words": WORDS,
                "characters": WordCharacterTokenizer(
                    SPELLING.vocabulary, num_first=3, num_last=2, punctuation="remove"
                ),
            },
            r"'characters' and 'words' share their steps, so their tokenizers must cut texts alike\. Received: ",
        ),
        (
            {"words": CharTokenizer([*SPECIAL_TOKENS, *map(chr, range(97, 97 + WORDS.vocabulary_size - 4))]),
             "characters": SPELLING},
            r"must cut texts alike\. Received: .* of 'characters' and .* of 'words'\. Make both tokenizers of words",
        ),
    ],
)  # fmt: skip
def test_tokenizers_that_do_not_go_together_are_refused(tokenizers, message, tmp_path):
    with pytest.raises(ExportError, match=message):
        export_model(tagger(), tmp_path / "bundle", tokenizer=tokenizers)
    assert not list(tmp_path.iterdir())
