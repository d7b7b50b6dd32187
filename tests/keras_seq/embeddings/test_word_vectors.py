import subprocess
import sys

import numpy as np
import pytest

from keras_seq.embeddings import WordVectors
from keras_seq.embeddings import word_vectors as module
from tests.keras_seq.embeddings.toy_vectors import gensim_vectors, random_vectors

KING = WordVectors(
    ["king", "queen", "man", "woman", "apple"],
    [[1, 1, 0.1], [1, -1, 0.1], [0, 1, 0.1], [0, -1, 0.2], [0, 0, 1]],
)


def cosine(one, two):
    one, two = np.float64(one), np.float64(two)
    return one @ two / np.sqrt((one @ one) * (two @ two))


def test_similarity_is_the_cosine_whatever_the_lengths():
    vectors = random_vectors()
    expected = cosine(vectors["w3"], vectors["w11"])
    assert vectors.similarity("w3", "w11") == pytest.approx(expected, abs=1e-6)
    assert vectors.similarity("w3", "w3") == pytest.approx(1, abs=1e-6)


def test_a_vector_of_zeros_is_close_to_nothing():
    vectors = WordVectors(["sun", "moon", "void"], [[1, 2], [2, 1], [0, 0]])
    assert vectors.similarity("sun", "void") == 0
    assert vectors.most_similar("void", topn=5) == [("sun", 0.0), ("moon", 0.0)]


def test_it_holds_words_and_rows():
    vectors = random_vectors()
    assert len(vectors) == 53
    assert vectors.features == 7
    assert "w5" in vectors
    assert "w53" not in vectors
    np.testing.assert_array_equal(vectors["w5"], vectors.vectors[vectors.index["w5"]])
    assert vectors.vectors.dtype == np.float32
    assert repr(vectors) == "<WordVectors: 53 words, 7 features>"
    part = vectors.subset(["w9", "w2"])
    assert part.words == ("w9", "w2")
    np.testing.assert_array_equal(part["w2"], vectors["w2"])


def test_what_was_given_can_change_and_what_is_kept_cannot():
    rows = np.ones((2, 3), "float32")
    vectors = WordVectors(["sun", "moon"], rows)
    rows[:] = 0
    assert vectors.vectors.sum() == 6
    with pytest.raises(ValueError, match="read-only"):
        vectors.vectors[0] = 0


def test_king_less_man_and_woman_is_queen_by_either_method():
    for method in ("add", "mul"):
        assert [word for word, _ in KING.analogy("man", "king", "woman", method=method)] == ["queen"]


def test_3cosadd_by_hand():
    unit = KING.vectors / np.linalg.norm(KING.vectors, axis=1, keepdims=True)
    target = unit[0] - unit[2] + unit[3]
    [(word, score)] = KING.analogy("man", "king", "woman")
    assert score == pytest.approx(cosine(target, KING["queen"]), abs=1e-6)
    assert KING.most_similar(["king", "woman"], ["man"], topn=1) == [(word, score)]


def test_3cosmul_by_hand():
    def closeness(one, two):
        return (1 + cosine(KING[one], KING[two])) / 2

    expected = closeness("queen", "king") * closeness("queen", "woman") / (closeness("queen", "man") + 0.001)
    [(_, score)] = KING.analogy("man", "king", "woman", method="mul")
    assert score == pytest.approx(expected, rel=1e-5)


def test_the_words_of_the_question_are_left_out():
    answers = [word for word, _ in KING.most_similar(["king", "woman"], ["man"], topn=10)]
    assert sorted(answers) == ["apple", "queen"]
    assert "king" not in [word for word, _ in KING.most_similar("king", topn=10)]


def test_equals_come_in_the_order_they_stand():
    vectors = WordVectors(list("abcde"), [[1, 0], [1, 1], [1, 1], [1, -1], [-1, 0]])
    assert [word for word, _ in vectors.most_similar("a", topn=3)] == ["b", "c", "d"]
    assert [word for word, _ in vectors.most_similar("a", topn=1)] == ["b"]
    many = WordVectors([f"w{number}" for number in range(101)], np.tile([[1, 1], [1, 0]], (51, 1))[:101])
    assert [word for word, _ in many.most_similar("w1", topn=53)[:50]] == [
        f"w{number}" for number in range(3, 101, 2)
    ] + ["w0"]


def test_only_the_first_words_are_looked_through():
    vectors = random_vectors()
    for method in ("add", "mul"):
        words = [word for word, _ in vectors.most_similar("w40", ["w3"], topn=99, among=11, method=method)]
        assert sorted(words) == sorted(f"w{number}" for number in range(11) if number != 3)


@pytest.mark.parametrize(
    ("positive", "negative"), [("w3", ()), (["w3", "w4", "w9"], ()), (["w3", "w8"], ["w6"]), (["w1"], ["w2", "w5"])]
)
@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`:DeprecationWarning")  # gensim calls its own
def test_gensim_finds_the_same(positive, negative, monkeypatch):
    vectors = random_vectors()
    keyed = gensim_vectors(vectors)
    theirs = keyed.most_similar(positive, negative or None, topn=13)
    ours = vectors.most_similar(positive, negative, topn=13)
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([score for _, score in ours], [score for _, score in theirs], atol=1e-6)

    monkeypatch.setattr(module, "EPSILON", 1e-6)  # gensim's; the paper's is 0.001
    theirs = keyed.most_similar_cosmul(positive, negative or None, topn=13)
    ours = vectors.most_similar(positive, negative, topn=13, method="mul")
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([score for _, score in ours], [score for _, score in theirs], rtol=1e-5)


@pytest.mark.parametrize(
    ("words", "rows", "error", "message"),
    [
        ([], np.empty((0, 3)), ValueError, "at least one word. Received none"),
        (["sun", ""], np.ones((2, 3)), ValueError, "Received an empty one in row 1"),
        (["sun", 4], np.ones((2, 3)), TypeError, "must be texts. Received in row 1: 4"),
        (["sun", "moon", "sun"], np.ones((3, 2)), ValueError, "Received 'sun' twice, in rows 0 and 2"),
        (["sun", "moon"], np.ones((3, 2)), ValueError, "Received 2 words and 3 vectors"),
        (["sun", "moon"], np.ones(2), ValueError, r"shape \(words, features\). Received the shape \(2,\)"),
        (["sun", "moon"], np.ones((2, 0)), ValueError, r"Received the shape \(2, 0\)"),
        (["sun", "moon"], [[1, 2], [3]], TypeError, "must be numbers"),
        (["sun", "moon"], [[1, "a"], [3, 4]], TypeError, "must be numbers"),
        (["sun", "moon"], [[1, 2], [np.nan, 4]], ValueError, r"NaN or infinity for 'moon' \(row 1\), and in 1 of 2"),
        (["sun", "moon"], [[np.inf, 2], [np.nan, 4]], ValueError, r"for 'sun' \(row 0\), and in 2 of 2 rows"),
    ],
)
def test_what_are_no_word_vectors_is_refused(words, rows, error, message):
    with pytest.raises(error, match=message):
        WordVectors(words, rows)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: KING.analogy("man", "kimg", "woman"), "'kimg' is not among the 5 words. Near in spelling: 'king'"),
        (lambda: KING.similarity("Queen", "man"), "'Queen' is not .* Near in spelling: 'queen'"),
        (lambda: KING.most_similar("zzz"), "None is near in spelling. Among them are: 'king', 'queen', 'man', 'woman'"),
        (lambda: KING.most_similar([]), "at least one positive word. Received none"),
        (lambda: KING.most_similar("man", topn=0), "`topn` must be a whole number from 1 on. Received: 0"),
        (lambda: KING.most_similar("man", among=0), "`among` must be a whole number from 1 on. Received: 0"),
        (lambda: KING.most_similar("man", method="div"), "`method` must be 'add' or 'mul'. Received: 'div'"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(ask, message):
    with pytest.raises(ValueError, match=message):
        ask()


def test_an_unknown_word_is_a_key_error_where_it_is_looked_up():
    with pytest.raises(KeyError, match="'kimg' is not among the 5 words"):
        KING["kimg"]


def test_one_text_is_not_taken_letter_by_letter():
    with pytest.raises(TypeError, match=r"must come in a list. Received the text 'king': write \['king'\]"):
        KING.rows("king")


def test_numpy_is_enough(tmp_path):
    program = """
import sys
from keras_seq.embeddings import WordVectors, debias, neutralize
vectors = WordVectors(["sun", "moon", "star"], [[1, 0.5], [0, 1], [0.5, 0.75]])
vectors.save(sys.argv[1])
vectors = WordVectors.load(sys.argv[1])
vectors.analogy("sun", "moon", "star")
debias(vectors, [("sun", "moon")])
print(*sys.modules)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "vectors.bin")]
    loaded = set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert "keras_seq.embeddings.debiasing" in loaded
    assert loaded.isdisjoint({"keras", "tensorflow", "scipy", "sklearn", "matplotlib", "gensim"})
