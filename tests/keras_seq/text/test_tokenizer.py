"""What holds for every kind of tokenizer."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seq.text import CharTokenizer, Tokenizer, WordPieceTokenizer, WordTokenizer
from keras_seq.text.vocabulary import SPECIAL_TOKENS
from tests.unicode_torture import TEXTS

LINES = ["The cat sat on the mat.", "A dog, a cat!", "", "Stra\u00dfe \U0001f600 cat"]
KINDS = {
    "char": lambda **settings: CharTokenizer.from_lines(LINES, **settings),
    "word": lambda **settings: WordTokenizer.from_lines(LINES, **settings),
    "wordpiece": lambda **settings: WordPieceTokenizer(
        [*SPECIAL_TOKENS, "the", "c", "##at", "s", "m", ".", "a", "dog", ",", "on"], **settings
    ),
}
# Nothing is a tensor of strings elsewhere.
in_models = pytest.mark.backend("tensorflow")


@pytest.fixture(params=KINDS)
def make(request):
    return KINDS[request.param]


def padded(rows):
    width = max(1, *map(len, rows))
    return [[*row, *[0] * (width - len(row))] for row in rows]


@pytest.mark.smoke
def test_a_batch_is_padded_behind_to_the_longest_text(make):
    tokenizer = make()
    ids = tokenizer(LINES)
    assert ids.dtype == tf.int32
    assert ids.numpy().tolist() == padded(tokenizer.encode(LINES))
    assert tokenizer(LINES[0]).numpy().tolist() == tokenizer.encode(LINES[0])
    assert tokenizer([LINES[1], ""])[1].numpy().tolist() == [0] * len(tokenizer.encode(LINES[1]))


def test_a_batch_has_at_least_one_column(make):
    tokenizer = make()
    assert tokenizer(["", ""]).numpy().tolist() == [[0], [0]]
    assert tokenizer("").numpy().tolist() == [0]
    assert tokenizer(tf.constant([], tf.string)).shape == (0, 1)
    assert tokenizer.encode([]) == []
    assert tokenizer.encode("") == []


def test_start_and_end_are_put_around_and_stay_when_a_text_is_cut(make):
    bare = make().encode(LINES)
    both = make(add_start=True, add_end=True)
    assert both.encode(LINES) == [[1, *row, 2] for row in bare]
    assert both(LINES).numpy().tolist() == padded([[1, *row, 2] for row in bare])
    assert both.encode(LINES, add_start=False) == [[*row, 2] for row in bare]
    assert both.encode(LINES, add_end=False) == [[1, *row] for row in bare]
    assert make().encode(LINES, add_start=True) == [[1, *row] for row in bare]
    cut = make(add_start=True, add_end=True, max_length=5)
    assert cut.encode(LINES) == [[1, *row[:3], 2] for row in bare]
    assert cut(LINES).shape == (4, 5)
    assert make(max_length=3).encode(LINES) == [row[:3] for row in bare]
    assert make(add_start=True, add_end=True, max_length=2).encode(LINES) == [[1, 2]] * 4


def test_ragged_ids_are_not_padded(make):
    ids = make(ragged=True, add_end=True)(LINES)
    assert isinstance(ids, tf.RaggedTensor)
    assert ids.to_list() == make().encode(LINES, add_end=True)
    assert make(ragged=True).compute_mask(LINES) is None


def test_decoding_leaves_out_padding_start_and_what_follows_the_end(make):
    tokenizer = make()
    ids = tokenizer.encode(LINES[1])
    text = tokenizer.decode(ids)
    assert tokenizer.decode([0, 1, *ids, 0, 2, *ids, 2]) == text
    assert tokenizer.decode([[1, *ids, 2], [2, 7], []]) == [text, "", ""]
    for array in (
        np.array([ids]),
        tf.constant([ids]),
        tf.ragged.constant([ids]),
        keras.ops.array([ids]),
        [np.array(ids)],
    ):
        assert tokenizer.decode(array) == [text]
    assert tokenizer.decode(np.array(ids, "int64")) == text
    assert tokenizer.decode([3]) == "<unk>"
    assert tokenizer.decode([]) == ""


def test_a_graph_decodes_as_python_does(make):
    tokenizer = make(add_start=True, add_end=True)
    draw = np.random.default_rng(3)
    ids = draw.integers(0, tokenizer.vocabulary_size, (11, 7))
    expected = [text.encode() for text in tokenizer.decode(ids)]
    assert tokenizer.to_text(ids).numpy().tolist() == expected
    assert tf.function(tokenizer.to_text)(tf.constant(ids, tf.int32)).numpy().tolist() == expected
    assert tokenizer.to_text(ids.reshape(1, 11, 7)).numpy().tolist() == [expected]
    assert tokenizer.to_text(ids[0]).numpy() == expected[0]
    assert tokenizer.to_text(tf.ragged.constant([[4], [], [3, 4]])).shape == (3,)
    assert tokenizer.to_text(tf.zeros((2, 0), tf.int32)).numpy().tolist() == [b"", b""]


@pytest.mark.parametrize("wrong", [-1, 10_000])
def test_an_id_that_is_not_in_the_vocabulary_is_an_error(make, wrong):
    tokenizer = make()
    limit = tokenizer.vocabulary_size - 1
    with pytest.raises(ValueError, match=rf"must be in the vocabulary, from 0 to {limit}\. Received: {wrong}\."):
        tokenizer.decode([[4, 5], [4, wrong]])
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"must be in the vocabulary, from 0 to {limit}"):
        tokenizer.to_text([[4, wrong]])


def test_ids_that_are_none_are_refused(make):
    tokenizer = make()
    with pytest.raises(TypeError, match=r"must be whole numbers. Received: \[4.5\], of dtype float64"):
        tokenizer.decode([4.5])
    with pytest.raises(ValueError, match=r"must be of shape .* Received: a row of shape \(2, 3\)"):
        tokenizer.decode(np.zeros((1, 2, 3), int))


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ([1, 2], TypeError, "Texts must be strings. Received: 1 of type <class 'int'>"),
        (["a", None], TypeError, "Texts must be strings. Received: None"),
        (7, TypeError, "must be strings, or a sequence of them. Received: 7"),
        (None, TypeError, "must be strings, or a sequence of them. Received: None"),
        (np.array([1.5]), TypeError, "Texts must be strings. Received: .*1.5"),
        (tf.constant([1, 2]), TypeError, "Received: a tensor of dtype int32"),
        (np.array([["a", "b"]]), ValueError, r"have the shape \(batch,\).* Received: shape=\(1, 2\)"),
        ([["a", "b"]], TypeError, r"Texts must be strings. Received: \['a', 'b'\]"),
        (tf.ragged.constant([["a"], []]), ValueError, r"have the shape \(batch,\).* Received: shape=\(2, None\)"),
        (tf.constant([["a", "b"]]), ValueError, r"have the shape \(batch,\).* Received: shape=\(1, 2\)"),
    ],
)
def test_what_is_no_text_is_refused(make, texts, error, message):
    for method in (make(), make().encode, make().split):
        with pytest.raises(error, match=message):
            method(texts)


def test_texts_may_be_of_any_kind_of_string(make):
    tokenizer = make()
    expected = tokenizer.encode(LINES)
    encoded = [line.encode() for line in LINES]
    for texts in (tuple(LINES), encoded, np.array(LINES), np.array(LINES, object), np.array(encoded, object)):
        assert tokenizer.encode(texts) == expected
        assert tokenizer(texts).numpy().tolist() == padded(expected)
    assert tokenizer.encode(tf.constant(LINES)) == expected
    for text in (np.array(LINES[0]), np.str_(LINES[0]), np.bytes_(encoded[0]), tf.constant(LINES[0])):
        assert tokenizer.encode(text) == expected[0]
        assert tokenizer.split(text).to_list() == tokenizer.split(LINES[:1]).to_list()


def test_a_graph_that_knows_no_shape_takes_a_batch(make):
    tokenizer = make()
    encode = tf.function(tokenizer, input_signature=[tf.TensorSpec(None, tf.string)])
    assert encode(tf.constant(LINES)).numpy().tolist() == padded(tokenizer.encode(LINES))


def test_tf_data_maps_texts_to_ids(make):
    tokenizer, texts = make(add_end=True), tf.data.Dataset.from_tensor_slices(LINES)
    expected = tokenizer.encode(LINES)
    assert [ids.numpy().tolist() for ids in texts.batch(3).map(tokenizer)] == [padded(expected[:3]), [expected[3]]]
    assert [ids.numpy().tolist() for ids in texts.map(tokenizer)] == expected
    ragged = [ids.to_list() for ids in texts.batch(3).map(make(add_end=True, ragged=True))]
    assert ragged == [expected[:3], expected[3:]]


def test_the_mask_is_false_for_padding(make):
    tokenizer = make()
    assert np.array_equal(tokenizer.compute_mask(LINES), tokenizer(LINES).numpy() != 0)
    assert not np.any(tokenizer.compute_mask(["", "a"])[0])


def string_model(tokenizer):
    """Five numbers for each text, that depend on its tokens and on what is padding."""
    texts = keras.Input((), dtype="string", name="texts")
    ids = tokenizer(texts)
    assert ids.shape == (None, None)
    assert ids.dtype == "int32"
    embedded = keras.layers.Embedding(tokenizer.vocabulary_size, 5, mask_zero=True)(ids)
    return keras.Model(texts, keras.layers.GlobalAveragePooling1D()(embedded))


@in_models
def test_a_model_takes_strings(make):
    tokenizer = make(add_end=True)
    model = string_model(tokenizer)
    from_ids = keras.Model(model.layers[2].input, model.output)
    expected = from_ids(tokenizer(LINES)).numpy()
    np.testing.assert_allclose(model(tf.constant(LINES)), expected, atol=1e-6)
    # What padding stands beside a text changes nothing.
    alone = np.concatenate([model(tf.constant([line])) for line in LINES])
    np.testing.assert_allclose(alone, expected, atol=1e-6)


@in_models
def test_a_model_of_strings_learns_and_predicts():
    model = string_model(KINDS["word"](add_end=True))
    texts = np.array(LINES, object)
    np.testing.assert_allclose(model.predict(texts, verbose=0), model(tf.constant(LINES)), atol=1e-6)
    model.compile("sgd", "mse")
    history = model.fit(texts, np.ones((4, 5)), epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


@in_models
def test_a_saved_model_with_its_tokenizer_loads_in_a_fresh_process(tmp_path):
    answers = {}
    for kind, make in KINDS.items():
        model = string_model(make(add_start=True, max_length=13, name="tokens"))
        model.save(tmp_path / f"{kind}.keras")
        answers[kind] = model(tf.constant(LINES)).numpy()
        if kind != "char":  # those are in the graph with less than words are
            model.export(tmp_path / kind, verbose=False)
    np.savez(tmp_path / "answers.npz", **answers)
    # tensorflow-text brings an operator that pieces need in a SavedModel; words do without.
    program = f"""
import sys
import numpy as np, tensorflow as tf
lines, answers = tf.constant({LINES!r}), np.load("answers.npz")
words = tf.saved_model.load("word")
np.testing.assert_allclose(words.serve(lines), answers["word"], atol=1e-6)
assert "keras_seq" not in sys.modules and "tensorflow_text" not in sys.modules
import tensorflow_text
pieces = tf.saved_model.load("wordpiece")
np.testing.assert_allclose(pieces.serve(lines), answers["wordpiece"], atol=1e-6)
import keras_seq, keras
for kind in answers:
    model = keras.saving.load_model(kind + ".keras")
    np.testing.assert_allclose(model(lines), answers[kind], atol=1e-6)
    assert model.get_layer("tokens").max_length == 13
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_config_holds_everything(make):
    tokenizer = make(lowercase=True, add_start=True, add_end=True, max_length=11, ragged=True, name="tokens")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(tokenizer))
    assert again.get_config() == tokenizer.get_config()
    assert again.ragged
    assert again.name == "tokens"
    assert again.vocabulary == tokenizer.vocabulary
    texts = list(TEXTS.values())
    assert again.encode(texts) == tokenizer.encode(texts)


def test_special_tokens_have_the_first_ids(make):
    tokenizer = make()
    assert tokenizer.vocabulary[:4] == ("<pad>", "<start>", "<end>", "<unk>")
    assert (tokenizer.pad_id, tokenizer.start_id, tokenizer.end_id, tokenizer.unknown_id) == (0, 1, 2, 3)
    assert tokenizer.vocabulary_size == len(tokenizer.vocabulary)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"max_length": 0}, ValueError, "`max_length` must be a whole number of at least 1. Received: max_length=0"),
        ({"max_length": 2.5}, ValueError, "`max_length` must be a whole number"),
        ({"max_length": True}, ValueError, "`max_length` must be a whole number"),
        (
            {"max_length": 1, "add_start": True, "add_end": True},
            ValueError,
            "must have room for .* Received: max_length=1",
        ),
        ({"add_end": 1}, TypeError, "`add_end` must be True or False. Received: add_end=1"),
        ({"lowercase": "yes"}, TypeError, "`lowercase` must be True or False. Received: lowercase='yes'"),
        ({"ragged": None}, TypeError, "`ragged` must be True or False"),
        ({"lowercase": True, "rules": {"whitespace": [], "punctuation": []}}, ValueError, "`rules` must have 'lower'"),
        ({"dtype": "float32"}, ValueError, "gives ids of dtype int32. Received: dtype='float32'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, settings, error, message):
    with pytest.raises(error, match=message):
        make(**settings)


def test_encode_leaves_room_for_what_it_is_asked_to_add(make):
    with pytest.raises(ValueError, match="`max_length` must have room for <start> and <end>"):
        make(max_length=1).encode("a", add_start=True, add_end=True)


def test_a_corpus_must_be_lines_with_tokens_in_them():
    for kind in (CharTokenizer, WordTokenizer, WordPieceTokenizer):
        for lines in ([], [""], ["", ""]):
            with pytest.raises(ValueError, match=r"`lines` must hold .* Received: 0 different"):
                kind.from_lines(lines)
        for lines in ("the cat", b"the cat", 7, None, {"a": 1}):
            with pytest.raises(
                TypeError, match="`lines` must be an iterable of strings, such as a list or an open file"
            ):
                kind.from_lines(lines)
        with pytest.raises(TypeError, match=r"Texts must be strings. Received: 7"):
            kind.from_lines(["a", 7])
        for wrong in ({"max_size": 4}, {"min_count": 0}, {"max_distinct": 0}):
            with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be a whole number of at least"):
                kind.from_lines(["a"], **wrong)


def test_a_corpus_may_be_an_iterator(make, tmp_path):
    (tmp_path / "corpus.txt").write_text("\n".join(LINES), encoding="utf-8")
    with open(tmp_path / "corpus.txt", encoding="utf-8") as lines:
        tokenizer = WordTokenizer.from_lines(lines)
    assert tokenizer.vocabulary == WordTokenizer.from_lines(LINES).vocabulary


@in_models
def test_a_model_must_give_one_string_for_each_example(make):
    with pytest.raises(ValueError, match=r"must be given strings of shape \(batch,\).*shape=\(None, 3\), dtype=string"):
        make()(keras.Input((3,), dtype="string"))
    with pytest.raises(ValueError, match=r"must be given strings of shape \(batch,\).*dtype=int32"):
        make()(keras.Input((), dtype="int32"))


@pytest.mark.backend("jax", "torch")
@pytest.mark.smoke
def test_a_model_without_strings_says_what_to_do(make):
    with pytest.raises(ValueError, match=r"cannot be part of a model under the backend .* Encode before the model"):
        make()(keras.Input((), dtype="string"))


@pytest.mark.parametrize("missing", ["tensorflow", "tensorflow_text"])
def test_a_missing_package_is_named_with_the_line_that_installs_it(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"need {missing.replace('_', '-')}, .*pip install 'keras_seq\[text\]'"):
        WordPieceTokenizer(SPECIAL_TOKENS)


def test_the_base_class_is_no_tokenizer_by_itself():
    with pytest.raises(TypeError, match="abstract"):
        Tokenizer(SPECIAL_TOKENS)
