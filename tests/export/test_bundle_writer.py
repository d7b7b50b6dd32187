import errno
import json
import os
from pathlib import Path

import pytest

from keras_seq.export.bundle_writer import bundle_folder, file_specs
from keras_seq.export.errors import ExportError

pytestmark = pytest.mark.backend("tensorflow")


def write(path, content, **options):
    with bundle_folder(path, **options) as folder:
        (folder / "bundle.json").write_text(json.dumps(content))
        (folder / "saved_model").mkdir()
        (folder / "saved_model" / "part").write_text("x" * content)
    return path


def written(path):
    return json.loads((path / "bundle.json").read_text())


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_folder_appears_whole_under_its_name_and_its_parents_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "bundle"
    with bundle_folder(path) as folder:
        (folder / "bundle.json").write_text("1")
        assert not path.exists()
        assert folder.parent == path.parent  # on the same file system, so that it can be renamed
    assert names(path.parent) == ["bundle"]
    assert names(path) == ["bundle.json"]


def test_others_may_read_it_as_far_as_the_umask_says(tmp_path):
    before = os.umask(0o022)
    try:
        write(tmp_path / "bundle", 1)
    finally:
        os.umask(before)
    assert (tmp_path / "bundle").stat().st_mode & 0o777 == 0o755


def test_what_exists_is_not_replaced_unasked(tmp_path):
    write(tmp_path / "bundle", 1)
    with pytest.raises(ExportError, match=r"bundle exists already\. Pass overwrite=True"):
        write(tmp_path / "bundle", 2)
    assert written(tmp_path / "bundle") == 1
    assert names(tmp_path) == ["bundle"]


def test_bundle_is_replaced_whole_when_asked(tmp_path):
    write(tmp_path / "bundle", 1)
    (tmp_path / "bundle" / "step.onnx").write_text("of the old bundle")
    write(tmp_path / "bundle", 2, overwrite=True)
    assert written(tmp_path / "bundle") == 2
    assert names(tmp_path / "bundle") == ["bundle.json", "saved_model"]
    assert names(tmp_path) == ["bundle"]


def test_overwrite_where_nothing_is_just_writes(tmp_path):
    assert written(write(tmp_path / "bundle", 1, overwrite=True)) == 1


def test_folder_that_is_no_bundle_is_never_replaced(tmp_path):
    thesis = tmp_path / "home" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("ten years of work")
    with pytest.raises(ExportError, match=r"home exists and is not a bundle \(it has no bundle.json\)"):
        write(tmp_path / "home", 1, overwrite=True)
    assert thesis.read_text() == "ten years of work"
    assert names(tmp_path) == ["home"]


def test_file_is_never_replaced(tmp_path):
    (tmp_path / "model.keras").write_text("weights")
    with pytest.raises(ExportError, match=r"model\.keras exists and is not a bundle"):
        write(tmp_path / "model.keras", 1, overwrite=True)
    assert (tmp_path / "model.keras").read_text() == "weights"


def test_link_to_nowhere_is_never_replaced(tmp_path):
    (tmp_path / "bundle").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ExportError, match="bundle exists already"):
        write(tmp_path / "bundle", 1)


def test_path_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match=r"cannot be written to .*file/bundle: (File exists|Not a directory)"):
        write(tmp_path / "file" / "bundle", 1)
    assert names(tmp_path) == ["file"]


FAILURES = [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ExportError("refused"), ValueError()]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("existing", [False, True], ids=["new", "overwrite"])
def test_failure_leaves_nothing_behind_and_the_old_bundle_as_it_was(tmp_path, failure, existing):
    if existing:
        write(tmp_path / "bundle", 1)

    def fail():
        with bundle_folder(tmp_path / "bundle", overwrite=True) as folder:
            (folder / "bundle.json").write_text("half")
            raise failure

    expected = ExportError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected):
        fail()
    assert names(tmp_path) == (["bundle"] if existing else [])
    if existing:
        assert written(tmp_path / "bundle") == 1


def test_full_disk_is_named(tmp_path):
    message = r"cannot be written to .*bundle: No space left on device\. Nothing was left behind; make room"
    with pytest.raises(ExportError, match=message), bundle_folder(tmp_path / "bundle"):
        raise FAILURES[0]


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()], ids=["os", "key"])
def test_failure_while_the_new_bundle_takes_its_place_brings_the_old_one_back(tmp_path, monkeypatch, failure):
    path = write(tmp_path / "bundle", 1)
    rename = Path.rename

    def fails_at_the_last_step(self, target):
        if Path(target) == path and self.parent == tmp_path:
            raise failure
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_at_the_last_step)
    with pytest.raises(KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else ExportError):
        write(path, 2, overwrite=True)
    assert written(path) == 1
    assert names(tmp_path) == ["bundle"]


def test_file_specs_list_all_but_the_manifest_by_relative_path(tmp_path):
    specs = file_specs(write(tmp_path / "bundle", 3))
    assert list(specs) == ["saved_model/part"]
    assert specs["saved_model/part"].bytes == 3
    assert specs["saved_model/part"].sha256 == "cd2eb0837c9b4c962c22d2ff8b5441b7b45805887f051d39bf133b583baf6860"
