import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from translation.attention_heads import HeadMaps, draw_attention_heads

SOURCE, TARGET = ("tom", "sees", "a", "big", "dog", "."), ("Tom", "sieht", "einen", "Hund", "<end>")


def weights(queries, keys, layers=2, heads=3):
    return np.random.default_rng(3).dirichlet(np.ones(keys), (layers, heads, queries))


@pytest.fixture(scope="module")
def figure(tmp_path_factory):
    """The figure of two kinds of attention, as saved."""
    path, saved, save = tmp_path_factory.mktemp("pictures") / "a.png", [], Figure.savefig
    kinds = [HeadMaps("encoder", weights(6, 6), SOURCE, SOURCE), HeadMaps("decoder", weights(5, 6), TARGET, SOURCE)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda self, *a, **k: (saved.append(self), save(self, *a, **k))[1])
        draw_attention_heads(path, kinds, "Tom sees a big dog.")
    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    return saved[0]


def texts(labels):
    return [label.get_text() for label in labels]


def test_every_head_of_every_layer_has_a_map_of_its_weights(figure):
    for part, expected in zip(figure.subfigs, (weights(6, 6), weights(5, 6)), strict=True):
        maps = [axes.images[0].get_array() for axes in part.axes if axes.images]
        np.testing.assert_array_equal(maps, expected.reshape(6, *expected.shape[2:]))
    assert [part.get_suptitle() for part in figure.subfigs] == ["encoder", "decoder"]
    assert figure.get_suptitle() == "Tom sees a big dog."


def test_words_stand_along_the_top_and_down_the_side(figure):
    maps = [axes for axes in figure.subfigs[1].axes if axes.images]
    assert texts(maps[0].get_xticklabels()) == list(SOURCE)
    assert texts(maps[0].get_yticklabels()) == list(TARGET)
    assert set(texts(maps[1].get_yticklabels())) == {""}
    assert [axes.get_ylabel() for axes in maps] == ["layer 1", "", "", "layer 2", "", ""]
    assert [axes.get_title() for axes in maps] == ["head 1", "head 2", "head 3", "", "", ""]
    shown = [axes.xaxis.get_tick_params()["labeltop"] for axes in maps]
    assert shown == [True] * 3 + [False] * 3


def test_words_do_not_run_into_each_other_or_into_the_next_map(figure):
    for part in figure.subfigs:
        maps = [axes for axes in part.axes if axes.images]
        first = maps[0]
        across = [label.get_window_extent() for label in first.get_xticklabels()]
        assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(across))
        down = [label.get_window_extent() for label in first.get_yticklabels()]
        assert all(upper.y0 >= lower.y1 for upper, lower in itertools.pairwise(down))
        assert first.get_window_extent().x1 < maps[1].get_window_extent().x0


def test_weights_that_do_not_go_with_the_words_are_refused():
    with pytest.raises(ValueError, match=r"shape \(layers, heads, 5, 6\)\. Received: \(2, 3, 6, 5\)"):
        HeadMaps("decoder", weights(6, 5), TARGET, SOURCE)
