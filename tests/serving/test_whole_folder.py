"""A folder appears whole or not at all; tests/export/test_bundle_writer.py shows what may be replaced."""

import pytest

from keras_seq.serving import InputError, ServingError
from keras_seq.serving.whole_folder import whole_folder


def test_nothing_is_left_of_a_folder_that_was_not_finished(tmp_path):
    def write(content):
        with whole_folder(tmp_path / "site", mark="site.json", what="site") as folder:
            (folder / "site.json").write_text("{}")
            (folder / "rest").write_bytes(content)

    with pytest.raises(TypeError):
        write("no bytes")
    assert list(tmp_path.iterdir()) == []


def test_messages_name_what_it_was_to_be(tmp_path):
    (tmp_path / "site").mkdir()
    with (
        pytest.raises(ServingError, match=r"exists and is not a site \(it has no site\.json\)"),
        whole_folder(tmp_path / "site", mark="site.json", what="site", overwrite=True),
    ):
        pass
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"the site cannot be written to .*file/site: File exists"),
        whole_folder(tmp_path / "file" / "site", mark="site.json", what="site", error=InputError),
    ):
        pass


def test_one_of_its_kind_is_replaced_when_asked(tmp_path):
    for content in ("old", "new"):
        with whole_folder(tmp_path / "site", mark="site.json", what="site", overwrite=True) as folder:
            (folder / "site.json").write_text(content)
    assert (tmp_path / "site" / "site.json").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 1
