"""The outputs of a batch job on disk: part files, each with a record of what it was made of."""

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from keras_seq.serving.errors import ServingError
from keras_seq.serving.folder_job.part import BatchPart, digest_of

RECORD = ".json"
TEMPORARY = ".*.half"
"""What files are called before they are whole."""
_UNREADABLE = (OSError, ValueError)


def write_part(folder: Path, part: BatchPart, job: str, data: bytes) -> dict[str, Any]:
    """Writes a part's rows and, behind them, its record; each of the two is there whole or not at all.

    Two workers may write the same part, as one that was given up for dead may be alive: what they write is the same.

    Args:
        folder: Of the outputs.
        part: What was run.
        job: Digest of what it was run with.
        data: The content of its file.

    Returns:
        The record.

    Raises:
        ServingError: It cannot be written.
    """
    path = folder / part.output
    record = {"rows": part.num_rows, "bytes": len(data), "sha256": digest_of(data), "input": part.digest, "job": job}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
        write_whole(record_path(path), (json.dumps(record) + "\n").encode())
    except OSError as error:
        raise ServingError(f"{path} cannot be written: {error.strerror}.") from error
    return record


def is_done(folder: Path, part: BatchPart, job: str) -> bool:
    """Was this very part run with the very same bundle and options, and is what was written still whole?

    Args:
        folder: Of the outputs.
        part: What is to be run.
        job: Digest of what it is to be run with.
    """
    path = folder / part.output
    try:
        record = json.loads(record_path(path).read_bytes())
        if not isinstance(record, dict) or (record.get("job"), record.get("input")) != (job, part.digest):
            return False
        return digest_of(path.read_bytes()) == record.get("sha256")
    except _UNREADABLE:  # missing or cut off: it is made again
        return False


def record_path(path: Path) -> Path:
    """Where the record of a part's file lies: beside it, hidden from who reads all that is there."""
    return path.with_name(f".{path.name}{RECORD}")


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that nobody ever sees a part of it.

    Args:
        path: The file; its folder exists.
        data: What it is to hold.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", suffix=TEMPORARY[2:], dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # the name must not be there before the content, whatever happens to the machine
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def json_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    r"""Rows as JSON, a line each. Arrays become nested lists; NaN and infinities, which JSON does not have, null.

    Example:
        >>> json_lines([{"text": "a", "score": np.array([0.5, np.nan])}])
        b'{"text": "a", "score": [0.5, null]}\n'
    """
    return b"".join(json.dumps(_plain(row), ensure_ascii=False, allow_nan=False).encode() + b"\n" for row in rows)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def npz_bytes(rows: Mapping[str, Sequence[np.ndarray]], ragged: Mapping[str, bool]) -> bytes:
    """Arrays as `keras-seq predict` writes them: rows of their own lengths end to end, with their `NAME.lengths`.

    Args:
        rows: Output name to one array a row.
        ragged: Output name to whether rows have lengths of their own.
    """
    flat: dict[str, np.ndarray] = {}
    for name, values in rows.items():
        flat[name] = _end_to_end(values) if ragged[name] else np.stack(values)
        if ragged[name]:
            flat[f"{name}.lengths"] = np.array([len(value) for value in values])
    file = BytesIO()
    np.savez(file, **flat)
    return file.getvalue()


def _end_to_end(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows as one array; further axes in which they differ are filled with zeros up to the longest."""
    sizes = np.max([row.shape[1:] for row in rows], axis=0).astype(int)  # empty for rows of one axis
    filled = [
        np.pad(row, [(0, 0), *((0, most - size) for most, size in zip(sizes, row.shape[1:], strict=True))])
        for row in rows
    ]
    return np.concatenate(filled)
