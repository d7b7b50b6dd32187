import numpy as np
import pytest
from matplotlib.image import imread

from keras_seq.embeddings import WordVectors
from keras_seq.embeddings.vector_plot import plane
from tests.keras_seq.embeddings.toy_vectors import random_vectors

GROUPS = {"one": ["a0", "a1", "a2", "a3", "a4"], "other": ["b0", "b1", "b2", "b3", "b4"]}


def two_groups():
    generator = np.random.default_rng(1)
    centres = {"a": np.r_[3.0, np.zeros(6)], "b": np.r_[0, 3.0, np.zeros(5)]}
    words = [word for group in GROUPS.values() for word in group]
    return WordVectors(words, [centres[word[0]] + 0.3 * generator.normal(size=7) for word in words])


def test_close_words_lie_together_and_the_seed_fixes_where():
    vectors = two_groups()
    points = plane(vectors.unit, seed=4)
    assert points.shape == (10, 2)
    np.testing.assert_array_equal(points, plane(vectors.unit, seed=4))
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    nearest = (distances + 1e9 * np.eye(10)).argmin(axis=1)
    assert ((nearest < 5) == (np.arange(10) < 5)).all()


def test_every_word_stands_at_its_point_and_groups_have_a_colour_each(tmp_path):
    figure = two_groups().plot(GROUPS, path=tmp_path / "map.png", title="cost in $ and $")
    assert imread(tmp_path / "map.png").shape[2] == 4
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [word for group in GROUPS.values() for word in group]
    dots = np.concatenate([dots.get_offsets() for dots in axes.collections])
    np.testing.assert_allclose(dots, [text.xy for text in axes.texts])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "other"]
    assert len({tuple(dots.get_facecolor()[0]) for dots in axes.collections}) == 2


def test_the_first_words_are_drawn_where_none_are_named():
    (axes,) = random_vectors().plot(num_words=6).axes
    assert [text.get_text() for text in axes.texts] == [f"w{number}" for number in range(6)]
    assert axes.get_legend() is None


@pytest.mark.parametrize(
    ("words", "settings", "message"),
    [
        (["w1", "w2", "w3"], {}, "needs at least 4 words. Received 3"),
        ([], {}, "needs at least 4 words. Received 0"),
        (["w1", "w2", "w3", "w55"], {}, "'w55' is not among the 53 words"),
        (["w1", "w2", "w3", "w1"], {}, "drawn once. Received 'w1' twice"),
        (["w1", "w2", "w3", "w4"], {"perplexity": 4}, "above 0 and below the number of words, 4. Received: 4"),
    ],
)
def test_words_that_cannot_be_drawn_are_refused(words, settings, message):
    with pytest.raises(ValueError, match=message):
        random_vectors().plot(words, **settings)
