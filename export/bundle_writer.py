"""Puts a bundle in its place whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_seq.export.errors import ExportError
from keras_seq.serving.bundle import MANIFEST_FILE
from keras_seq.serving.file_spec import FileSpec

__all__ = ["bundle_folder", "file_specs"]


@contextlib.contextmanager
def bundle_folder(path: str | os.PathLike, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder to write a bundle into, which becomes `path` if all goes well and vanishes if not.

    Args:
        path: Where the bundle is to be. Its parent folders are made.
        overwrite: Whether a bundle that is there already may be replaced. Anything else that is there never is.

    Yields:
        An empty folder beside `path`, on the same file system.

    Raises:
        ExportError: `path` exists, or cannot be written.
    """
    path = Path(path)
    _check_destination(path, overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield folder
        folder.chmod(0o777 & ~_umask())  # mkdtemp makes it private
        _move_into_place(folder, path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def file_specs(folder: Path) -> dict[str, FileSpec]:
    """Size and digest of every file in a bundle's folder but the manifest, by relative path."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file != folder / MANIFEST_FILE)
    return {file.relative_to(folder).as_posix(): FileSpec.of(file) for file in files}


def _check_destination(path: Path, overwrite: bool) -> None:
    if not path.exists() and not path.is_symlink():
        return
    if not overwrite:
        raise ExportError(f"{path} exists already. Pass overwrite=True to replace it, or choose another path.")
    if not (path / MANIFEST_FILE).is_file():
        raise ExportError(
            f"{path} exists and is not a bundle (it has no {MANIFEST_FILE}), so overwrite=True will not replace it. "
            "Remove it yourself, or choose another path."
        )


def _move_into_place(folder: Path, path: Path) -> None:
    if not path.exists():
        folder.rename(path)
        return
    # The old bundle steps aside first: at every moment one of the two is whole at a known place.
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent))
    old = aside / path.name
    try:
        path.rename(old)
        folder.rename(path)
    except BaseException:  # an interrupt must not cost the old bundle either
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _unwritable(path: Path, error: OSError) -> ExportError:
    return ExportError(
        f"the bundle cannot be written to {path}: {error.strerror or error}. Nothing was left behind; make room or "
        "choose a path that can be written."
    )
