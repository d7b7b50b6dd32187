"""Puts a folder in its place whole, or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_seq.serving.errors import ServingError


@contextlib.contextmanager
def whole_folder(
    path: str | os.PathLike,
    *,
    mark: str,
    what: str,
    overwrite: bool = False,
    error: type[Exception] = ServingError,
) -> Iterator[Path]:
    """A folder to write into, which becomes `path` if all goes well and vanishes if not.

    Args:
        path: Where the folder is to be. Its parent folders are made.
        mark: The file by which a folder of this kind is known.
        what: What such a folder is called, such as `"bundle"`.
        overwrite: Whether one that is there already may be replaced. Anything else that is there never is.
        error: What is raised where it cannot be written.

    Yields:
        An empty folder beside `path`, on the same file system.

    Raises:
        ServingError: Or `error`: `path` exists, or cannot be written.

    Example:
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     with whole_folder(f"{parent}/notes", mark="index.txt", what="notebook") as folder:
        ...         _ = (folder / "index.txt").write_text("one page")
        ...     print(os.listdir(parent))
        ['notes']
    """
    path = Path(path)
    _check_destination(path, mark, what, overwrite, error)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as reason:
        raise _unwritable(path, what, reason, error) from reason
    try:
        yield folder
        folder.chmod(0o777 & ~_umask())  # mkdtemp makes it private
        _move_into_place(folder, path)
    except OSError as reason:
        raise _unwritable(path, what, reason, error) from reason
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_destination(path: Path, mark: str, what: str, overwrite: bool, error: type[Exception]) -> None:
    if not path.exists() and not path.is_symlink():
        return
    if not overwrite:
        raise error(f"{path} exists already. Pass overwrite=True to replace it, or choose another path.")
    if not (path / mark).is_file():
        raise error(
            f"{path} exists and is not a {what} (it has no {mark}), so overwrite=True will not replace it. "
            "Remove it yourself, or choose another path."
        )


def _move_into_place(folder: Path, path: Path) -> None:
    if not path.exists():
        folder.rename(path)
        return
    # What is there steps aside first: at every moment one of the two is whole at a known place.
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent))
    old = aside / path.name
    try:
        path.rename(old)
        folder.rename(path)
    except BaseException:  # an interrupt must not cost the old one either
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _unwritable(path: Path, what: str, reason: OSError, error: type[Exception]) -> Exception:
    return error(
        f"the {what} cannot be written to {path}: {reason.strerror or reason}. Nothing was left behind; make room or "
        "choose a path that can be written."
    )
