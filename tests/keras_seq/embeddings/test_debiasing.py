import itertools

import numpy as np
import pytest
from sklearn.decomposition import PCA

from keras_seq.embeddings import WordVectors, bias_direction, debias, direct_bias, equalize, neutralize

PAIRS = [("she", "he"), ("woman", "man"), ("mother", "father"), ("queen", "king")]
PROFESSIONS = ["nurse", "doctor", "pilot", "clerk", "baker", "judge", "guard"]


def biased_vectors(features=11):
    """Pairs that differ in one direction, professions with a part in it of either sign."""
    generator = np.random.default_rng(6)
    bias = generator.normal(size=features)
    bias /= np.linalg.norm(bias)
    words, rows = [], []
    for pair in PAIRS:
        common = generator.normal(size=features)
        for word, sign in zip(pair, (1, -1), strict=True):
            words.append(word)
            rows.append(common + sign * generator.uniform(0.8, 1.6) * bias + 0.1 * generator.normal(size=features))
    for number, word in enumerate(PROFESSIONS):
        words.append(word)
        rows.append(generator.normal(size=features) + (-1) ** number * generator.uniform(0.5, 1.2) * bias)
    words.append("beard")
    rows.append(generator.normal(size=features) - 2 * bias)
    return WordVectors(words, rows), bias


VECTORS, BIAS = biased_vectors()


def test_the_direction_is_scikit_learns_first_component_and_points_to_the_first_words():
    centred = []
    for pair in PAIRS:
        rows = np.stack([VECTORS[word] / np.linalg.norm(VECTORS[word]) for word in pair]).astype(float)
        centred.extend(rows - rows.mean(axis=0))
    pca = PCA(3).fit(np.array(centred))
    direction = bias_direction(VECTORS, PAIRS, num_directions=3)
    for ours, theirs in zip(direction.components, pca.components_, strict=True):
        np.testing.assert_allclose(np.abs(ours @ theirs), 1, atol=1e-6)
    np.testing.assert_allclose(direction.shares, pca.explained_variance_ratio_, atol=1e-6)
    assert direction.components[0] @ BIAS > 0.97
    turned = bias_direction(VECTORS, [pair[::-1] for pair in PAIRS])
    np.testing.assert_allclose(turned.components[0], -direction.components[0], atol=1e-6)
    along = direction.along(VECTORS, ["she", "he", "beard"])
    assert along["she"] > 0 > along["he"]
    assert along["beard"] < 0


def test_sets_of_three_weigh_as_much_as_pairs():
    """The covariance of the paper: each set's own, summed."""
    sets = [("she", "he"), ("nurse", "doctor", "pilot")]
    covariance = np.zeros((11, 11))
    for one in sets:
        rows = np.stack([VECTORS[word] / np.linalg.norm(VECTORS[word]) for word in one]).astype(float)
        covariance += (rows - rows.mean(0)).T @ (rows - rows.mean(0)) / len(one)
    values, directions = np.linalg.eigh(covariance)
    ours = bias_direction(VECTORS, sets, num_directions=2)
    np.testing.assert_allclose(np.abs(ours.components @ directions[:, [-1, -2]]), np.eye(2), atol=1e-6)
    np.testing.assert_allclose(ours.shares, values[[-1, -2]] / values.sum(), atol=1e-6)


def test_direct_bias_by_hand():
    direction = bias_direction(VECTORS, PAIRS)
    cosines = [
        abs(VECTORS[word].astype(float) @ direction.components[0]) / np.linalg.norm(VECTORS[word])
        for word in PROFESSIONS
    ]
    assert direct_bias(VECTORS, direction, PROFESSIONS) == pytest.approx(np.mean(cosines), abs=1e-6)
    squares = np.mean(np.square(cosines))
    assert direct_bias(VECTORS, direction, PROFESSIONS, strictness=2) == pytest.approx(squares, abs=1e-6)


def test_neutral_words_lose_their_part_and_nothing_else():
    direction = bias_direction(VECTORS, PAIRS)
    after = neutralize(VECTORS, direction, PROFESSIONS)
    for word in PROFESSIONS:
        unit = VECTORS[word].astype(float) / np.linalg.norm(VECTORS[word])
        rest = unit - (unit @ direction.components[0]) * direction.components[0]
        np.testing.assert_allclose(after[word], rest / np.linalg.norm(rest), atol=1e-6)
    for word in ("she", "beard"):
        np.testing.assert_allclose(after[word], VECTORS[word] / np.linalg.norm(VECTORS[word]), atol=1e-6)


def test_equalized_pairs_differ_in_the_bias_alone():
    """The formula of the paper, written out for one direction."""
    direction = bias_direction(VECTORS, PAIRS)
    g = direction.components[0]
    after = equalize(VECTORS, direction, [("woman", "man")])
    e1, e2 = (VECTORS[word].astype(float) / np.linalg.norm(VECTORS[word]) for word in ("woman", "man"))
    mean = (e1 + e2) / 2
    outside = mean - (mean @ g) * g
    inside = np.sqrt(1 - outside @ outside) * g
    np.testing.assert_allclose(after["woman"], outside + inside, atol=1e-6)
    np.testing.assert_allclose(after["man"], outside - inside, atol=1e-6)
    np.testing.assert_allclose(after["king"], VECTORS["king"] / np.linalg.norm(VECTORS["king"]), atol=1e-6)


def test_after_debiasing_neutral_words_are_as_far_from_either_word_of_a_pair():
    report = debias(VECTORS, PAIRS, specific=["beard"])
    assert report.neutral == tuple(PROFESSIONS)
    np.testing.assert_allclose(np.linalg.norm(report.vectors.vectors, axis=1), 1, atol=1e-6)
    for word, (one, two) in itertools.product(PROFESSIONS, PAIRS):
        difference = report.vectors.similarity(word, one) - report.vectors.similarity(word, two)
        assert difference == pytest.approx(0, abs=1e-6)
    before, after = report.direct_bias()
    assert before > 0.1
    assert after == pytest.approx(0, abs=1e-6)
    assert report.projections(["beard", "nurse"])["beard"][1] == pytest.approx(
        report.projections(["beard"])["beard"][0], abs=1e-6
    )
    assert report.projections(["nurse"])["nurse"][1] == pytest.approx(0, abs=1e-6)
    assert report.vectors.analogy("he", "king", "she")[0][0] == "queen"
    assert 0.8 < report.similarity_kept() < 1
    assert str(report).startswith(f"direct bias {before:.4f} before, 0.0000 after, over 7 neutral words\n")


def test_several_directions_are_taken_out_at_once():
    report = debias(VECTORS, PAIRS, neutral=PROFESSIONS, equal=(), num_directions=2)
    rows = report.vectors.unit[report.vectors.rows(PROFESSIONS)]
    np.testing.assert_allclose(rows @ report.direction.components.T, 0, atol=1e-6)
    assert report.direct_bias()[1] == pytest.approx(0, abs=1e-6)
    assert len(report.direction.shares) == 2


def test_a_word_without_a_vector_of_its_own_stays_so():
    rows = np.concatenate([VECTORS.vectors, np.zeros((1, 11))])
    report = debias(WordVectors([*VECTORS.words, "void"], rows), PAIRS)
    assert not report.vectors["void"].any()


DIRECTION = bias_direction(VECTORS, PAIRS)
LOST = WordVectors(["she", "he", "it", "one"], [[1, 0, 1], [-1, 0, 1], [2, 0, 0], [0, 1, 1]])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: bias_direction(VECTORS, []), r"at least one set of words, such as \('she', 'he'\). Received none"),
        (lambda: bias_direction(VECTORS, [("she",)]), r"at least two different words. Received: \('she',\)"),
        (lambda: bias_direction(VECTORS, [("she", "she")]), r"different words. Received: \('she', 'she'\)"),
        (lambda: bias_direction(VECTORS, [("she", "hee")]), "'hee' is not among the 16 words. Near in spelling: 'he'"),
        (lambda: bias_direction(VECTORS, PAIRS, 5), "must be from 1 to 4, in which these 4 sets differ. Received: 5"),
        (lambda: bias_direction(VECTORS, PAIRS, 0), "must be from 1 to 4"),
        (lambda: direct_bias(VECTORS, DIRECTION, []), "needs at least one word. Received none"),
        (lambda: direct_bias(VECTORS, DIRECTION, ["she"], -1), "`strictness` must be at least 0. Received: -1"),
        (lambda: equalize(VECTORS, DIRECTION, [("she", "she")]), "at least two different words"),
        (lambda: equalize(VECTORS, DIRECTION, [("she", "he"), ("he", "man")]), "none of them in another set too"),
        (lambda: debias(VECTORS, PAIRS, neutral=["nurse", "she"]), "either neutral or not. Received as both: 'she'"),
        (lambda: debias(VECTORS, PAIRS, specific=["bread"]), "'bread' is not among the 16 words. Near .* 'beard'"),
        (lambda: debias(LOST, [("she", "he")]), "Nothing is left of 'it' outside the bias: it cannot be neutral"),
        (lambda: debias(VECTORS, PAIRS).similarity_kept(["she", "he"]), "at least three words. Received 2"),
    ],
)
def test_what_cannot_be_debiased_says_why(ask, message):
    with pytest.raises(ValueError, match=message):
        ask()


def test_a_pair_that_does_not_differ_in_the_bias_cannot_be_equalized():
    vectors = WordVectors(["she", "he", "tea", "cup"], [[1, 0, 0], [-1, 0, 0], [0.5, 1, 0], [0.5, 0, 1]])
    with pytest.raises(ValueError, match=r"The words \('tea', 'cup'\) do not differ in the bias"):
        debias(vectors, [("she", "he")], equal=[("tea", "cup")])


def test_one_text_is_no_set():
    with pytest.raises(TypeError, match=r"must come in a list\. Received the text 'she'"):
        bias_direction(VECTORS, ["she", "he"])
