import pytest

from language_modelling.curves import draw_curves


def test_the_picture_is_a_png_in_a_folder_that_need_not_be_there(tmp_path):
    path = tmp_path / "new" / "curves.png"
    draw_curves(path, [5, 10], {"GRU": [1e-2, 1e-9]}, {"GRU": [1.0, 0.5]})
    assert path.read_bytes().startswith(b"\x89PNG\r\n")


def test_a_curve_with_a_point_too_few_is_refused(tmp_path):
    with pytest.raises(ValueError, match="same first dimension"):
        draw_curves(tmp_path / "curves.png", [5, 10], {"GRU": [1e-2]}, {"GRU": [1.0, 0.5]})
