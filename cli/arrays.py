"""Named arrays in files: JSON with nested lists, and NumPy's `.npz`."""

import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from keras_seq.cli.errors import CommandError
from keras_seq.serving.array_file import LENGTHS, read_array_file

_ZIP = b"PK"
_SUFFIXES = (".json", ".npz")

Arrays = Mapping[str, np.ndarray | list[np.ndarray]]


def read_arrays(source: str, option: str = "--input") -> Any:
    """Reads what `Predictor.predict` is to take.

    Args:
        source: A file, or `-` for stdin. Whether it is `.npz` or JSON is seen from its first bytes.
        option: What the command line calls it, for messages.

    Returns:
        Input name to array or list of rows; from JSON, whatever stands there.

    Raises:
        CommandError: It cannot be read, or is not JSON.
        InputError: It is a damaged `.npz`, or one of something else than arrays.
    """
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise CommandError(f"{option} {source} cannot be read: {error.strerror}.") from error
    name = "stdin" if source == "-" else source
    return read_array_file(data, name) if data.startswith(_ZIP) else _from_json(data, name)


def _from_json(data: bytes, name: str) -> Any:
    try:
        value = json.loads(data.decode("utf-8"))
    except ValueError as error:
        raise CommandError(
            f'{name} is neither .npz nor JSON ({error}). Give an object of nested lists by input name, {{"words": '
            "[[4, 8, 15]]}."
        ) from error
    if not isinstance(value, (dict, list)):
        raise CommandError(f"{name} must hold a JSON object or list. It holds: {str(value)[:60]}.")
    return value


def read_options(given: Sequence[str]) -> dict[str, Any]:
    """The options of a graph, as `--option` has them.

    Args:
        given: Texts of the form `name=value`; a value is a number, `true` or `false`.

    Returns:
        Name to value.

    Raises:
        CommandError: A text is not of that form, or a name is given twice.

    Example:
        >>> read_options(["alpha=0.6", "max_length=20"])
        {'alpha': 0.6, 'max_length': 20}
    """
    options: dict[str, Any] = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            number = json.loads(value)
        except ValueError:
            number = None
        if not name or not isinstance(number, (bool, int, float)):
            raise CommandError(
                f"--option takes NAME=VALUE with a number, true or false, as alpha=0.6. Received: {text}."
            )
        if name in options:
            raise CommandError(f"--option {name} is given twice.")
        options[name] = number
    return options


def check_output_path(path: Path) -> None:
    """Checks, before anything runs, that an answer can be written to `path`.

    Raises:
        CommandError: The suffix is neither `.npz` nor `.json`, or there is no such folder.
    """
    if path.suffix not in _SUFFIXES:
        raise CommandError(f"--output takes a file that ends in .npz or .json. Received: {path}.")
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else f"lies in {path.parent}, which is no folder"
        raise CommandError(f"--output {path} {what}. Give a file in a folder that exists.")


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Writes arrays to a file, whole or not at all.

    Args:
        path: Ends in `.npz` or `.json`.
        arrays: Name to array, or to a list of rows.

    Raises:
        CommandError: It cannot be written.
    """
    if path.suffix == ".npz":
        _write_whole(path, lambda file: np.savez(file, **_flat(arrays)))
    else:
        write_json(path, as_lists(arrays))


def write_json(path: Path, value: Any) -> None:
    """Writes JSON to a file, whole or not at all.

    Args:
        path: The file.
        value: Strings, finite numbers, booleans, None, lists and dicts.

    Raises:
        CommandError: It cannot be written.
    """
    data = (json.dumps(value, allow_nan=False) + "\n").encode()
    _write_whole(path, lambda file: file.write(data))


def _write_whole(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", suffix=path.suffix, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes it private
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise CommandError(f"--output {path} cannot be written: {error.strerror}.") from error


def as_lists(arrays: Arrays) -> dict[str, Any]:
    """Arrays as JSON holds them; NaN and infinities, for which JSON has no number, become null.

    Example:
        >>> as_lists({"a": np.array([[1.5, np.nan]]), "b": [np.array([1]), np.array([2, 3])]})
        {'a': [[1.5, None]], 'b': [[1], [2, 3]]}
    """
    return {
        name: [_finite(row) for row in value] if isinstance(value, list) else _finite(value)
        for name, value in arrays.items()
    }


def _finite(array: np.ndarray) -> Any:
    values = array.tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return _nulls(values)
    return values


def _nulls(value: Any) -> Any:
    if isinstance(value, list):
        return [_nulls(entry) for entry in value]
    return value if math.isfinite(value) else None


def _flat(arrays: Arrays) -> dict[str, np.ndarray]:
    flat: dict[str, np.ndarray] = {}
    for name, value in arrays.items():
        flat[name] = _end_to_end(value) if isinstance(value, list) else value
        if isinstance(value, list):
            flat[name + LENGTHS] = np.array([len(row) for row in value])
    return flat


def _end_to_end(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows as one array; further axes in which they differ are filled with zeros up to the longest."""
    sizes = np.max([row.shape[1:] for row in rows], axis=0).astype(int)  # empty for rows of one axis
    return np.concatenate(
        [
            np.pad(row, [(0, 0), *((0, most - size) for most, size in zip(sizes, row.shape[1:], strict=True))])
            for row in rows
        ]
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
