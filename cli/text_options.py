"""`--tokenizer` and `--labels` of `keras-seq export`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_seq.cli.errors import CommandError


def read_tokenizers(given: Sequence[str]) -> Any:
    """The tokenizers of an export.

    Args:
        given: Texts of the form `FILE`, for all inputs, or `NAME=FILE`.

    Returns:
        None for none, a tokenizer of `keras_seq.text`, or input name to tokenizer.

    Raises:
        CommandError: A file is no `tokenizer.json`, or the texts do not go together.
    """
    named: dict[str | None, Any] = {}
    for text in given:
        name, _, file = text.rpartition("=") if not Path(text).exists() else ("", "", text)
        if (name or None) in named:
            raise CommandError(
                f"--tokenizer {f'for {name}' if name else text} is one too many. Give one, or NAME=FILE."
            )
        named[name or None] = _load(file)
    if None in named and len(named) > 1:
        raise CommandError("--tokenizer takes one FILE for all inputs, or NAME=FILE for each of them. Received both.")
    return named.get(None, named or None)


def _load(file: str) -> Any:
    from keras_seq.text import load_tokenizer

    try:
        return load_tokenizer(file)
    except OSError as error:
        raise CommandError(f"--tokenizer {file} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise CommandError(f"--tokenizer {file}: {error}") from error


def read_labels(path: Path | None) -> Any:
    """The labels of an export: of the one output, or of each by its name.

    Args:
        path: A file with a JSON list of strings, or an object of such lists.

    Returns:
        What stands there; None without a file.

    Raises:
        CommandError: It cannot be read, or holds something else.
    """
    if path is None:
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"--labels {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # of JSON as of UTF-8
        raise CommandError(f"--labels {path} is not JSON: {error}.") from error
    lists = list(value.values()) if isinstance(value, dict) else [value]
    if not lists or not all(_are_labels(labels) for labels in lists):
        raise CommandError(
            f'--labels {path} must hold a JSON list of strings, ["NOUN", "VERB"], or such a list for each output by '
            f"its name. It holds: {str(value)[:60]}."
        )
    return value


def _are_labels(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(label, str) and label for label in value)
