"""Puts a bundle in its place whole, or not at all."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

from keras_seq.export.errors import ExportError
from keras_seq.serving.bundle import MANIFEST_FILE
from keras_seq.serving.file_spec import FileSpec
from keras_seq.serving.whole_folder import whole_folder

__all__ = ["bundle_folder", "file_specs"]


def bundle_folder(path: str | os.PathLike, *, overwrite: bool = False) -> AbstractContextManager[Path]:
    """A folder to write a bundle into, which becomes `path` if all goes well and vanishes if not.

    Args:
        path: Where the bundle is to be. Its parent folders are made.
        overwrite: Whether a bundle that is there already may be replaced. Anything else that is there never is.

    Returns:
        A context manager, of an empty folder beside `path`, on the same file system.

    Raises:
        ExportError: In the `with` statement: `path` exists, or cannot be written.
    """
    return whole_folder(path, mark=MANIFEST_FILE, what="bundle", overwrite=overwrite, error=ExportError)


def file_specs(folder: Path) -> dict[str, FileSpec]:
    """Size and digest of every file in a bundle's folder but the manifest, by relative path."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file != folder / MANIFEST_FILE)
    return {file.relative_to(folder).as_posix(): FileSpec.of(file) for file in files}
