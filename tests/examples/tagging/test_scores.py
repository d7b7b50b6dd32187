import pytest

from tagging.scores import MostFrequentLabel, score_groups, score_labels
from tagging.sentence import Sentence

TRAIN = [Sentence(("run", "run", "run", "the", "the", "tea", "Ann", "Amy"), tuple("VVNDDNPP"))]


def test_the_baseline_takes_the_most_frequent_label_of_each_word():
    baseline = MostFrequentLabel(TRAIN)
    assert [baseline.label(word) for word in ("run", "the")] == ["V", "D"]


def test_the_baseline_guesses_new_words_by_rare_words_that_begin_alike():
    baseline = MostFrequentLabel(TRAIN)
    assert baseline.label("Abe") == "P"
    assert baseline.label("toe") == "N"
    assert baseline.label("zoo") == "P"  # the most frequent label of all words met once


def test_precision_recall_and_f1_are_counted_by_label():
    scores = {score.label: score for score in score_labels([["A", "A", "A", "B"]], [["A", "B", "C", "B"]])}
    assert (scores["A"].precision, scores["A"].recall, scores["A"].count) == (1.0, pytest.approx(1 / 3), 3)
    assert scores["A"].f1 == pytest.approx(0.5)
    assert (scores["B"].precision, scores["B"].recall) == (0.5, 1.0)
    assert (scores["C"].precision, scores["C"].recall, scores["C"].f1, scores["C"].count) == (0.0, 0.0, 0.0, 0)


def test_groups_part_words_by_what_training_knew_of_them():
    sentence = Sentence(("run", "the", "toe", "tie"), tuple("NDNV"))
    groups = {group.name: group for group in score_groups(MostFrequentLabel(TRAIN), [sentence], [list("NDDV")])}
    assert {name: group.count for name, group in groups.items()} == {
        "all words": 4,
        "never met in training": 2,
        "met with one label": 1,
        "met with several labels": 1,
    }
    assert (groups["all words"].model, groups["all words"].baseline) == (0.75, 0.5)
    assert (groups["met with several labels"].model, groups["met with several labels"].baseline) == (1.0, 0.0)
    assert (groups["never met in training"].model, groups["never met in training"].baseline) == (0.5, 0.5)


def test_rows_of_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        score_labels([["A", "B"]], [["A"]])
