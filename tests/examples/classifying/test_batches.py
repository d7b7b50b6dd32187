import doctest
import importlib

import numpy as np
import pytest

from classifying.batches import TextBatches, pad


def rows(count=23, seed=1):
    random = np.random.default_rng(seed)
    return [random.integers(4, 90, random.integers(1, 30)) for _ in range(count)]


def test_an_epoch_has_every_text_once_with_its_class():
    ids = rows()
    batches = TextBatches(ids, np.arange(23), size=5, seed=2)
    assert len(batches) == 5
    first = [batches[index] for index in range(len(batches))]
    batches.on_epoch_end()
    second = [batches[index] for index in range(len(batches))]
    for epoch in (first, second):
        seen = {}
        for words, classes in epoch:
            for row, number in zip(words, classes, strict=True):
                seen[int(number)] = row[row > 0].tolist()
        assert seen == {number: row.tolist() for number, row in enumerate(ids)}
    assert [classes.tolist() for _, classes in first] != [classes.tolist() for _, classes in second]


def test_a_batch_has_texts_of_similar_length():
    ids = rows(2003)
    padded = sum(words.size for words, _ in map(TextBatches(ids, [0] * 2003, size=50).__getitem__, range(41)))
    assert padded < 1.25 * sum(map(len, ids))


def test_the_first_two_batches_differ_in_width_so_that_keras_lets_it_change():
    batches = TextBatches([[4, 5, 6]] * 7, [0] * 7, size=3)
    assert [batches[index][0].shape[1] for index in range(3)] == [4, 3, 3]


def test_words_are_hidden_at_random_and_padding_is_not():
    ids = rows(503)
    batches = TextBatches(ids, [0] * 503, size=503, word_dropout=0.2)
    words, _ = batches[0]
    hidden, total = (words == 3).sum(), sum(map(len, ids))
    assert 0.17 < hidden / total < 0.23
    assert (words > 0).sum() == total
    assert ((batches[0][0] == 3) != (words == 3)).any()


def test_rows_are_padded_behind():
    assert pad([[4, 5], [], [6]]).tolist() == [[4, 5], [0, 0], [6, 0]]
    assert pad([[], []]).shape == (2, 1)


@pytest.mark.parametrize("name", ["baseline"])
def test_the_docstrings_tell_the_truth(name):
    failed, attempted = doctest.testmod(importlib.import_module(f"classifying.{name}"))
    assert attempted > 0
    assert failed == 0
