import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from date_reading.heat_map import draw_heat_map

SOURCE, TARGET = ("[pt-BR]", "4", ".", " ", "M", "a", "i"), ("0", "5", "-", "0", "4")


@pytest.fixture
def figures(monkeypatch):
    """The figures that were saved."""
    saved, save = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (saved.append(self), save(self, *a, **k))[1])
    return saved


def test_the_axes_show_every_token_and_the_cells_every_weight(tmp_path, figures):
    weights = np.random.default_rng(3).dirichlet(np.ones(len(SOURCE)), len(TARGET))
    draw_heat_map(tmp_path / "a.png", weights, SOURCE, TARGET, "4. Mai")
    axes, bar = figures[0].axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["[pt-BR]", "4", ".", "\u2423", "M", "a", "i"]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(TARGET)
    np.testing.assert_array_equal(axes.images[0].get_array(), weights)
    assert (axes.get_ylabel(), bar.get_ylabel(), figures[0].get_suptitle()) == ("generated", "attention", "4. Mai")


def test_labels_do_not_run_into_each_other(tmp_path, figures):
    draw_heat_map(tmp_path / "a.png", np.zeros((5, 7)), SOURCE, TARGET, "4. Mai")
    boxes = [label.get_window_extent() for label in figures[0].axes[0].get_xticklabels()]
    assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(boxes))


def test_the_file_is_a_picture_as_large_as_its_sequences(tmp_path, figures):
    sizes = []
    for width in (7, 31):
        draw_heat_map(tmp_path / "a.png", np.zeros((5, width)), "x" * width, TARGET, "title")
        content = (tmp_path / "a.png").read_bytes()
        assert content.startswith(b"\x89PNG\r\n")
        sizes.append(int.from_bytes(content[16:20]))
    assert sizes[0] + 800 < sizes[1]


def test_weights_that_do_not_go_with_the_tokens_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"shape \(5, 7\)\. Received: \(7, 5\)"):
        draw_heat_map(tmp_path / "a.png", np.zeros((7, 5)), SOURCE, TARGET, "title")
