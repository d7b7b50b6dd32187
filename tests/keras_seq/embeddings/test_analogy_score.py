import math

import numpy as np
import pytest

from keras_seq.embeddings import AnalogySection, WordVectors, score_analogies
from keras_seq.embeddings import analogy_score as module
from tests.keras_seq.embeddings.toy_vectors import gensim_vectors, random_vectors


def questions(path, vectors, count=157, seed=4):
    """Questions over few words of the vectors, so that some are answered right; some words have no vector."""
    generator = np.random.default_rng(seed)
    lines = []
    for section in ("capital-of", "gram1-adverb", "family"):
        lines.append(f": {section}")
        for _ in range(count):
            a, b, c = generator.choice(vectors.words, 3, replace=False)
            answers = [word for word, _ in vectors.analogy(a, b, c, topn=3)]
            d = generator.choice([*answers[:2], "W5", "elsewhere"])
            lines.append(f"{a} {b.upper()} {c} {d}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("among", [300_000, 31])
def test_gensim_counts_the_same_by_section(tmp_path, among):
    vectors = random_vectors()
    path = questions(tmp_path / "questions", vectors)
    score = score_analogies(vectors, path, among=among)
    accuracy, sections = gensim_vectors(vectors).evaluate_word_analogies(path, restrict_vocab=among)
    assert 0.2 < accuracy < 0.8
    assert score.all.accuracy == accuracy
    for ours, theirs in zip((*score.sections, score.all), sections, strict=True):
        assert ours.correct == len(theirs["correct"])
        assert ours.asked == ours.correct + len(theirs["incorrect"])
    assert score.all.total == 3 * 157
    assert 0 < score.all.asked < score.all.total


def test_3cosmul_answers_as_one_question_at_a_time_does(tmp_path, monkeypatch):
    vectors = random_vectors()
    path = questions(tmp_path / "questions", vectors)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 4 * 53 * 11)  # several blocks, the last one not full
    for method in ("add", "mul"):
        correct = 0
        for line in path.read_text().splitlines():
            a, b, c, d = line.lower().split() if line[0] != ":" else [None] * 4
            if d in vectors:
                correct += vectors.analogy(a, b, c, method=method)[0][0] == d
        assert score_analogies(vectors, path, method=method).all.correct == correct > 0


def test_sections_are_counted_with_coverage_by_hand(tmp_path):
    words = ["Athens", "Greece", "oslo", "norway", "athens", "quick"]
    vectors = WordVectors(words, [[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0.9, 1], [0, 1, 1.01], [-1, -1, -1]])
    (tmp_path / "q").write_text(
        ": capitals\nAthens Greece Oslo Norway\nOslo Norway Athens Greece\n\nRome Italy Oslo Norway\n"
        ": gram2\nquick quickly slow slowly\n"
    )
    score = score_analogies(vectors, tmp_path / "q")
    assert score.sections == (AnalogySection("capitals", 2, 2, 3), AnalogySection("gram2", 0, 0, 1))
    assert score.semantic == AnalogySection("semantic", 2, 2, 3)
    assert score.all.accuracy == 1
    assert score.all.coverage == 0.5
    assert math.isnan(score.syntactic.accuracy)
    assert "capitals" in str(score)
    assert "100.00% right,     2 of     2 asked (    3 in the file)" in str(score)
    assert str(score).count("\n") == 4  # two sections, semantic, syntactic, all
    # With case, `Oslo` and `Norway` have no vector, and `athens`, which had to count as the asked word, is another one.
    assert score_analogies(vectors, tmp_path / "q", ignore_case=False).all.asked == 0


def test_an_answer_in_other_case_is_right(tmp_path):
    words = ["man", "king", "woman", "Queen", "queen", "KING"]
    vectors = WordVectors(words, [[0, 1, 0.1], [1, 1, 0.1], [0, -1, 0.1], [0, 0, 1], [1, -1, 0.1], [1, -0.9, 0.1]])
    (tmp_path / "q").write_text(": family\nman king woman QUEEN\n")
    # `KING` would be the closest but for being asked; `queen` comes second, and `Queen` is what is looked up.
    assert score_analogies(vectors, tmp_path / "q").all.correct == 1
    assert gensim_vectors(vectors).evaluate_word_analogies(tmp_path / "q")[0] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (": family\nboy girl king\n", "q, line 2: expected four words, a : b = c : d. Found 3: 'boy girl king'"),
        ("\nboy girl king queen\n", "q, line 2: expected a section, ': name', before the first question"),
        (": family\n", "q: expected at least one question. Found none"),
        ("", "q: expected at least one question"),
    ],
)
def test_a_file_that_has_no_questions_is_refused(tmp_path, text, message):
    (tmp_path / "q").write_text(text)
    with pytest.raises(ValueError, match=message):
        score_analogies(random_vectors(), tmp_path / "q")


def test_an_unknown_method_is_refused(tmp_path):
    path = questions(tmp_path / "q", random_vectors(), count=2)
    with pytest.raises(ValueError, match=r"`method` must be 'add' or 'mul'\. Received: 'sub'"):
        random_vectors().evaluate_analogies(path, method="sub")
