"""What users give as validation data, and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seq.export.errors import ExportError
from keras_seq.export.quantization.text_inputs import TextInputs
from keras_seq.export.quantization.validation_set import ValidationSet
from keras_seq.serving.tensor_spec import TensorSpec
from keras_seq.text import WordTokenizer

ROWS, TIME, FEATURES = 37, 5, 3
WORDS = TensorSpec("words", "int32", ("batch", "time"), 0, 22)
SHAPES = TensorSpec("shapes", "float32", ("batch", "time", FEATURES))
rng = np.random.default_rng(0)
X = rng.integers(1, 23, (ROWS, TIME)).astype("int32")
S = rng.normal(size=(ROWS, TIME, FEATURES)).astype("float32")
Y, V = rng.integers(0, 7, (ROWS, TIME)), rng.random(ROWS)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return X[10 * i : 10 * i + 10], Y[10 * i : 10 * i + 10]


def batches(size=10):
    return [(X[i : i + size], Y[i : i + size]) for i in range(0, ROWS, size)]


def dataset(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(10)


ONE_INPUT = {
    "arrays": lambda: (X, Y),
    "tensors": lambda: (tf.constant(X), tf.constant(Y)),
    "lists of numbers": lambda: (X.tolist(), Y.tolist()),
    "a dict": lambda: ({"words": X}, Y),
    "a dict of lists": lambda: ({"words": X.tolist()}, Y),
    "a list of one": lambda: ([X], Y),
    "a list of batches": lambda: batches(),
    "a generator": lambda: (batch for batch in batches()),
    "a tf.data.Dataset": lambda: dataset(X, Y),
    "a keras PyDataset": Batches,
    "wider integers": lambda: (X.astype("int64"), Y),
}


@pytest.mark.parametrize("form", ONE_INPUT)
def test_every_form_of_inputs_and_targets_is_read(form):
    data = ValidationSet.of(ONE_INPUT[form](), [WORDS])
    assert data.is_data
    assert data.has_targets
    assert data.rows == ROWS
    assert all(batch.rows <= 32 for batch in data.batches)
    np.testing.assert_array_equal(np.concatenate([batch.inputs["words"] for batch in data.batches]), X)
    np.testing.assert_array_equal(np.concatenate([batch.targets for batch in data.batches]), Y)
    assert {batch.inputs["words"].dtype.name for batch in data.batches} == {"int32"}
    assert [batch.weights for batch in data.batches] == [None] * len(data.batches)


X_ALONE = {
    "an array": lambda: X,
    "a tensor": lambda: tf.constant(X),
    "a tuple of one": lambda: (X,),
    "a dict": lambda: {"words": X},
    "no targets": lambda: (X, None),
    "batches": lambda: [x for x, _ in batches()],
    "batches without targets": lambda: [(x, None) for x, _ in batches()],
    "a dataset": lambda: dataset(X),
}


@pytest.mark.parametrize("form", X_ALONE)
def test_inputs_alone_will_do_where_there_is_no_metric(form):
    data = ValidationSet.of(X_ALONE[form](), [WORDS])
    assert not data.has_targets
    np.testing.assert_array_equal(np.concatenate([batch.inputs["words"] for batch in data.batches]), X)


WEIGHTED = {
    "arrays": lambda: (X, Y, V),
    "a dataset": lambda: dataset(X, Y, V),
    "no targets": lambda: (X, None, V),
}


@pytest.mark.parametrize("form", WEIGHTED)
def test_sample_weights_stay_with_their_rows(form):
    data = ValidationSet.of(WEIGHTED[form](), [WORDS])
    np.testing.assert_array_equal(np.concatenate([batch.weights for batch in data.batches]), V)
    assert data.has_targets == (data.batches[0].targets is not None)


@pytest.mark.parametrize("x", [{"shapes": S, "words": X}, [X, S], (X, S)])
def test_several_inputs_are_named_or_in_order_and_targets_may_have_a_structure(x):
    data = ValidationSet.of((x, {"tags": Y, "style": V}), [WORDS, SHAPES])
    np.testing.assert_array_equal(np.concatenate([batch.inputs["shapes"] for batch in data.batches]), S)
    np.testing.assert_array_equal(np.concatenate([batch.inputs["words"] for batch in data.batches]), X)
    np.testing.assert_array_equal(np.concatenate([batch.targets["style"] for batch in data.batches]), V)


def test_batches_may_differ_in_length():
    data = ValidationSet.of([(X[:3], Y[:3]), (X[:, :2], Y[:, :2])], [WORDS])
    assert [batch.inputs["words"].shape for batch in data.batches] == [(3, TIME), (ROWS, 2)]


TEXTS = ["the cat sat", "a dog", "on the mat sat a cat"]
TOKENIZER = WordTokenizer.from_lines(TEXTS)
READ = TextInputs({"words": TOKENIZER}, {"words": "text"})


WITH_TEXTS = {
    "an array": lambda: (np.array(TEXTS), Y[:3]),
    "an array of objects": lambda: (np.array(TEXTS, object), Y[:3]),
    "a list": lambda: (TEXTS, Y[:3]),
    "by the model's name": lambda: ({"text": np.array(TEXTS)}, Y[:3]),
    "by the graph's name": lambda: ({"words": TEXTS}, Y[:3]),
    "a dataset": lambda: tf.data.Dataset.from_tensor_slices((TEXTS, Y[:3])).batch(3),
    "ids": lambda: (np.asarray(TOKENIZER(np.array(TEXTS))), Y[:3]),
}


@pytest.mark.parametrize("form", WITH_TEXTS)
@pytest.mark.backend("tensorflow")
def test_texts_are_read_by_the_tokenizer_of_the_input(form):
    spec = TensorSpec("words", "int32", ("batch", "time"), 0, TOKENIZER.vocabulary_size - 1)
    (batch,) = ValidationSet.of(WITH_TEXTS[form](), [spec], READ).batches
    np.testing.assert_array_equal(batch.inputs["words"], np.asarray(TOKENIZER(np.array(TEXTS))))


REFUSED = {
    "no data": (7, "must be a tuple .x, y. of arrays, or batches of such tuples. Received: int"),
    "four parts": ((X, Y, V, V), r"must be \(x, y\) or \(x, y, sample_weight\)\. Received 4 parts"),
    "no parts": ((), "Received 0 parts"),
    "batches of four": ([(X, Y, V, V)], "Received 4 parts"),
    "x is None": ((None, Y), "Received None for x"),
    "rows differ": ((X, Y[:-1]), r"a row for each sequence\. Received shapes: \(37, 5\), \(36, 5\)"),
    "rows of a batch differ": ([(X, Y[:-1])], r"a row for each sequence"),
    "numbers": ((X, np.float32(3)), "a row for each sequence"),
    "rows of several lengths": (([[1, 2], [3]], Y[:2]), "holds something that is no array"),
    "empty": ((X[:0], Y[:0]), "is empty. Give some tens of sequences"),
    "no batches": ([], "is empty"),
    "too many inputs": (([X, X], Y), "must have an array for each input: 'words'. Received: 2 arrays"),
    "another name": (({"letters": X}, Y), r"does not suit the model.*unknown: 'letters'; missing: 'words'"),
    "another rank": ((X[:, 0], Y), "does not suit the model.*has 1 dimensions, not 2"),
    "another type": ((X + 0.5, Y), "does not suit the model.*fractions would be lost"),
    "ids beyond": ((X + 22, Y), "does not suit the model.*ids run from 0 to 22"),
    "texts without a tokenizer": ((TEXTS, Y[:3]), "does not suit the model.*has 1 dimensions, not 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_suit_is_refused_in_words(case):
    data, message = REFUSED[case]
    with pytest.raises(ExportError, match=message):
        ValidationSet.of(data, [WORDS])


def test_a_decode_loop_takes_the_inputs_of_its_model_that_it_has():
    for x in ({"words": X, "shapes": S}, [X, S]):
        data = ValidationSet.of((x, Y), [WORDS], others_too=True)
        assert set(data.batches[0].inputs) == {"words"}
        with pytest.raises(ExportError, match=r"must have an array for each input|unknown: 'shapes'"):
            ValidationSet.of((x, Y), [WORDS])


def test_the_first_rows_are_whole_batches():
    data = ValidationSet.of(batches(), [WORDS])
    assert [data.first(rows).rows for rows in (1, 10, 11, 30, 99)] == [10, 10, 20, 30, 37]
    assert not ValidationSet.random([WORDS], {}).first(1).is_data


def test_for_want_of_data_inputs_are_drawn_within_the_limits_and_always_the_same():
    first, second = (ValidationSet.random([WORDS, SHAPES], {"time": 17}) for _ in range(2))
    assert not first.is_data
    assert not first.has_targets
    assert [batch.inputs["words"].shape for batch in first.batches] == [(1, 1), (1, 17), (13, 17), (7, 17)]
    for a, b in zip(first.batches, second.batches, strict=True):
        for name in ("words", "shapes"):
            np.testing.assert_array_equal(a.inputs[name], b.inputs[name])
        assert 0 <= a.inputs["words"].min() <= a.inputs["words"].max() <= 22
