"""The inputs of a batch job: files of texts or arrays in a folder, planned in parts and read part by part."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_seq.serving.array_file import read_array_file
from keras_seq.serving.errors import InputError, ServingError, listed
from keras_seq.serving.folder_job.part import BatchPart, digest_of

SUFFIXES = (".txt", ".jsonl", ".npz", ".npy")
_BOM = b"\xef\xbb\xbf"


def plan_parts(folder: Path, rows_per_part: int) -> list[BatchPart]:
    """Cuts all files of a folder, and of those in it, into parts, in the order of their names.

    Args:
        folder: Holds `.txt` (a text a line), `.jsonl` (a JSON value a line), `.npz` and `.npy`. Files whose names begin
            with a dot are left out.
        rows_per_part: How many rows a part has, the last one of a file excepted.

    Raises:
        InputError: There are no files, one is of another kind, or it holds no arrays of rows.
        ServingError: A file cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder. Give one with files that end in {listed(SUFFIXES)}.")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path.relative_to(folder)))
    foreign = [path.relative_to(folder).as_posix() for path in files if path.suffix not in SUFFIXES]
    if foreign:
        raise InputError(
            f"{folder} must hold files that end in {listed(SUFFIXES)} and no others. Received: {listed(foreign[:5])}. "
            "Move them, or put a dot before their names."
        )
    parts = []
    for path in files:
        name = path.relative_to(folder).as_posix()
        try:
            cut = _lines_in_parts if path.suffix in (".txt", ".jsonl") else _arrays_in_parts
            parts += list(cut(path, name, rows_per_part))
        except OSError as error:
            raise ServingError(f"{path} cannot be read: {error.strerror}.") from error
    if not parts:
        raise InputError(f"{folder} has no rows. Give files that end in {listed(SUFFIXES)}, with a row at least.")
    return parts


def _hidden(path: Path) -> bool:
    return any(name.startswith(".") for name in path.parts)


def _lines_in_parts(path: Path, name: str, rows_per_part: int) -> Iterator[BatchPart]:
    with path.open("rb") as file:
        first, number, start = 0, 0, 0
        while True:
            lines = [line for _, line in zip(range(rows_per_part), file, strict=False)]
            if not lines or (start == 0 and lines == [_BOM]):
                return
            end = start + sum(map(len, lines))
            yield BatchPart(name, number, first, len(lines), start, end, digest_of(*lines))
            first, number, start = first + len(lines), number + 1, end


def _arrays_in_parts(path: Path, name: str, rows_per_part: int) -> Iterator[BatchPart]:
    data = path.read_bytes()
    whole = digest_of(data)
    arrays = read_array_file(data, name)
    counts = {key: len(value) for key, value in arrays.items()}
    if len(set(counts.values())) != 1:
        raise InputError(f"{name}: inputs must have the same number of rows. Received: {counts}.")
    (rows,) = set(counts.values())
    for number, first in enumerate(range(0, rows, rows_per_part)):
        count = min(rows_per_part, rows - first)
        digest = digest_of(whole.encode(), f"{first}+{count}".encode())
        yield BatchPart(name, number, first, count, 0, len(data), digest)


def read_lines(folder: Path, part: BatchPart) -> list[str]:
    r"""The lines of a part, without what ends them: `\n` or `\r\n`. What is no UTF-8 becomes U+FFFD.

    Args:
        folder: Of the inputs.
        part: Of a `.txt` or `.jsonl` file.

    Raises:
        ServingError: The file was changed since the plan was made, or cannot be read.
    """
    try:
        with (folder / part.source).open("rb") as file:
            file.seek(part.start)
            data = file.read(part.end - part.start)
    except OSError as error:
        raise ServingError(f"{part.source} cannot be read: {error.strerror}.") from error
    _check_unchanged(part, digest_of(data))
    if part.start == 0:
        data = data.removeprefix(_BOM)
    lines = data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    return lines[:-1] if data.endswith(b"\n") else lines


def parse_line(line: str, where: str) -> Any:
    """A line of a `.jsonl` file.

    Args:
        line: The line.
        where: What messages call it.

    Returns:
        A text, or an object: input name to text or to nested lists.

    Raises:
        InputError: It is no JSON, or another kind of value.
    """
    try:
        value = json.loads(line)
    except ValueError as error:
        raise InputError(f'{where} is no JSON ({error}). Give a text in quotes, or {{"text": "…"}}.') from None
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return value["text"]
    if not isinstance(value, (str, dict)) or value == {}:
        raise InputError(
            f'{where} must be a text, {{"text": "…"}}, or an object of rows by input name. Received: {line[:60]}'
        )
    return value


def read_rows(folder: Path, part: BatchPart) -> dict[str, Any]:
    """The rows of a part of a file of arrays.

    Args:
        folder: Of the inputs.
        part: Of a `.npz` or `.npy` file.

    Returns:
        Input name to array, or to a list of rows where the file tells their lengths; of a `.npy` file under `""`.

    Raises:
        InputError: The file is damaged.
        ServingError: The file was changed since the plan was made, or cannot be read.
    """
    path = folder / part.source
    try:
        state = path.stat()
        whole, arrays = _load(path, part.source, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise ServingError(f"{part.source} cannot be read: {error.strerror}.") from error
    rows = slice(part.first_row, part.first_row + part.num_rows)
    _check_unchanged(part, digest_of(whole.encode(), f"{part.first_row}+{part.num_rows}".encode()))
    return {name: value[rows] for name, value in arrays.items()}


@functools.lru_cache(maxsize=1)  # the next part is most likely of the same file
def _load(path: Path, name: str, changed_ns: int, size: int) -> tuple[str, dict[str, Any]]:
    """A file of arrays and its digest; read once as long as nobody changes it."""
    data = path.read_bytes()
    return digest_of(data), read_array_file(data, name)


def _check_unchanged(part: BatchPart, digest: str):
    if digest != part.digest:
        raise ServingError(f"{part.source} was changed while the job ran. Run it again when the file is whole.")
