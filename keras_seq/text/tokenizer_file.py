"""`tokenizer.json`: what a tokenizer is, for every program that encodes with it."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1

_COMMON = ("vocabulary", "lowercase", "add_start", "add_end", "max_length", "rules")
FIELDS = {
    "char": _COMMON,
    "word": (*_COMMON, "split", "punctuation"),
    "wordchar": (*_COMMON, "split", "punctuation", "num_first", "num_last"),
    "wordpiece": (*_COMMON, "split", "prefix", "max_word_length"),
}
"""The fields of each kind of tokenizer, besides `schema_version` and `kind`."""


def check_document(document: Any) -> tuple[str, dict[str, Any]]:
    """Checks that a `tokenizer.json` is one, and has its fields; what they hold is the tokenizer's business.

    Args:
        document: The parsed file.

    Returns:
        The tokenizer's kind, and its fields without `schema_version` and `kind`.

    Raises:
        ValueError: If it is none, is of another version, or has too many fields or too few.
    """
    if not isinstance(document, Mapping):
        raise ValueError(f"A tokenizer's document must be a JSON object. Received: {type(document)}.")
    if document.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(
            f"`schema_version` must be {SCHEMA_VERSION}. Received: schema_version={document.get('schema_version')!r}. "
            "A file of a later version needs a later keras_seq."
        )
    kind = document.get("kind")
    if kind not in FIELDS:
        raise ValueError(f"`kind` must be one of {list(FIELDS)}. Received: kind={kind!r}.")
    fields = {name: value for name, value in document.items() if name not in ("schema_version", "kind")}
    missing = [name for name in FIELDS[kind] if name not in fields]
    unknown = [name for name in fields if name not in FIELDS[kind]]
    if missing or unknown:
        raise ValueError(
            f"A tokenizer of kind {kind!r} has the fields {list(FIELDS[kind])}. Missing: {missing}. Unknown: {unknown}."
        )
    return kind, fields


def write_document(path: str | os.PathLike, document: Mapping[str, Any]) -> None:
    """Writes a `tokenizer.json`: whole, or not at all.

    Args:
        path: The file; one that is there is replaced.
        document: What goes into it.
    """
    path = Path(path)
    fields = [f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in document.items()]
    text = "{\n" + ",\n".join(fields) + "\n}\n"  # one line a field: ranges of code points take no pages
    # Beside the file, for only there is a rename sure not to be a copy.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # a temporary file is for its owner alone
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_document(path: str | os.PathLike) -> Any:
    """Reads a `tokenizer.json`.

    Args:
        path: The file.

    Returns:
        What it holds, not checked yet.

    Raises:
        ValueError: If it is no JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON or of UTF-8
        raise ValueError(f"{os.fspath(path)!r} is no tokenizer: it is not JSON in UTF-8 ({error}).") from error
