import math

import numpy as np
import pytest

from keras_seq.embeddings import WordVectors, score_similarity
from keras_seq.embeddings import requirements as module
from tests.keras_seq.embeddings.toy_vectors import gensim_vectors, random_vectors


def pairs(path, vectors, count=61, separator="\t"):
    generator = np.random.default_rng(3)
    lines = [separator.join(["word1", "word2", "human mean"])]
    for _ in range(count):
        one, two = generator.choice([*vectors.words, "elsewhere", "nowhere"], 2, replace=False)
        judged = 5 + 5 * vectors.similarity(one, two) if one in vectors and two in vectors else 5
        lines.append(separator.join([one.upper(), two, f"{judged + generator.normal(0, 2):.1f}"]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("separator", ["\t", ","])
def test_gensim_correlates_the_same(tmp_path, separator):
    vectors = random_vectors()
    path = pairs(tmp_path / "pairs", vectors, separator=separator)
    score = vectors.evaluate_similarity(path)
    _, spearman, unknown_percent = gensim_vectors(vectors).evaluate_word_pairs(path, delimiter=separator)
    assert score.spearman == pytest.approx(spearman.statistic, abs=1e-9)
    assert 0.3 < score.spearman < 0.95
    assert 100 * (1 - score.coverage) == pytest.approx(unknown_percent)
    assert score.total == 61
    assert 30 < score.asked < 61


def test_ranks_by_hand(tmp_path):
    vectors = WordVectors(list("abcd"), [[1, 0], [2, 1], [1, 1], [-1, 1]])  # a-b .89, a-c .71, a-d -.71
    (tmp_path / "p").write_text("# judged by nobody\na\tb\t9\t1\n\na\tc\t3\nA\td\t5\na\te\t1\n")
    score = score_similarity(vectors, tmp_path / "p")
    assert (score.asked, score.total) == (3, 4)
    assert score.spearman == pytest.approx(1 - 6 * (0 + 1 + 1) / (3 * 8))
    assert str(score) == "Spearman 0.500 over 3 of 4 pairs (75%)"
    assert score_similarity(vectors, tmp_path / "p", ignore_case=False).asked == 2
    assert score_similarity(vectors, tmp_path / "p", among=3).asked == 2


@pytest.mark.parametrize(
    "text", ["a\te\t9\nb\te\t3\n", "a\tb\t9\nb\te\t3\n", "a\tb\t1\na\tc\t1\n", "a\tb\t1\na\tb\t2\n"]
)
def test_without_two_ranks_there_is_no_correlation(tmp_path, text):
    vectors = WordVectors(list("abc"), [[1, 0], [2, 1], [1, 1]])
    (tmp_path / "p").write_text(text)
    assert math.isnan(score_similarity(vectors, tmp_path / "p").spearman)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\t1\na\tb\n", "p, line 2: expected two words and a number, with tabs or commas between. Found: 'a.tb'"),
        ("a\tb\t1\na\tb\thigh\n", "p, line 2: expected two words and a number"),
        ("a b 1\n", "p, line 1: expected two words and a number"),
        ("word1\tword2\tmean\na\tb\t1\n", "p: expected at least two pairs, as ranks are compared. Found 1"),
    ],
)
def test_a_file_that_has_no_pairs_is_refused(tmp_path, text, message):
    (tmp_path / "p").write_text(text)
    with pytest.raises(ValueError, match=message):
        score_similarity(random_vectors(), tmp_path / "p")


def test_without_scipy_the_line_that_installs_it_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])

    monkeypatch.setattr(module.importlib, "import_module", missing)
    message = r'^`score_similarity` needs scipy, which is not installed. .*: pip install "keras_seq\[embeddings\]"$'
    with pytest.raises(ModuleNotFoundError, match=message):
        score_similarity(random_vectors(), pairs(tmp_path / "pairs", random_vectors()))
    with pytest.raises(ImportError, match=r"`plot` needs matplotlib.*embeddings"):
        random_vectors().plot()
    with pytest.raises(ImportError, match=r"`to_embedding_layer` needs keras.*embeddings"):
        random_vectors().to_embedding_layer(["<pad>", "<start>", "<end>", "<unk>", "w1"])


def test_a_fault_inside_a_package_is_not_taken_for_its_absence(monkeypatch):
    def broken(name):
        raise ModuleNotFoundError("No module named 'scipy_inner'", name="scipy_inner")

    monkeypatch.setattr(module.importlib, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'scipy_inner'$"):
        module.require("scipy.stats", "`x`")
