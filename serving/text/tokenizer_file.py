"""Reads `tokenizer.json`, field by field."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from keras_seq.serving.errors import BundleError, listed
from keras_seq.serving.fields import Fields, shorten
from keras_seq.serving.text.char_tokenizer import CharTokenizer
from keras_seq.serving.text.rules import Rules
from keras_seq.serving.text.tokenizer import SPECIAL_TOKENS, Tokenizer
from keras_seq.serving.text.word_character_tokenizer import WordCharacterTokenizer
from keras_seq.serving.text.word_piece_tokenizer import WordPieceTokenizer
from keras_seq.serving.text.word_tokenizer import PUNCTUATION, SPLITS, WordTokenizer

SCHEMA_VERSION = 1
_KINDS = {
    "char": CharTokenizer,
    "word": WordTokenizer,
    "wordchar": WordCharacterTokenizer,
    "wordpiece": WordPieceTokenizer,
}


def load_tokenizer(source: str | Path | dict[str, Any]) -> Tokenizer:
    """Make the tokenizer that a file describes.

    Args:
        source: A `tokenizer.json`, as a tokenizer of `keras_seq.text` saves it and a bundle holds it in `tokenizers/`;
            or its content, parsed.

    Raises:
        BundleError: If the file is missing, damaged, of a newer schema, or a field is not what it must be; the message
            names file and field.

    Example:
        ```python
        tokenizer = load_tokenizer("out/tagger/tokenizers/words.json")
        tokenizer.encode(["One sentence.", "And another."])
        ```
    """
    if isinstance(source, dict):
        return _tokenizer(source, "tokenizer.json")
    path = Path(source)
    try:
        value = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise BundleError(
            f"The tokenizer {path} cannot be read: {error.strerror}. Give the file that a tokenizer's `save` wrote, or "
            "copy the bundle anew from where it is whole."
        ) from error
    except ValueError as error:  # of JSON as of UTF-8
        raise BundleError(
            f"{path} is not JSON in UTF-8: {error}. It is damaged or cut short, or no tokenizer: save the tokenizer "
            "again, or copy the bundle anew from where it is whole."
        ) from error
    return _tokenizer(value, str(path))


def _tokenizer(value: Any, file: str) -> Tokenizer:
    if not isinstance(value, dict) or "schema_version" not in value or "vocabulary" not in value:
        raise BundleError(
            f"{file} is not a tokenizer that keras_seq wrote: it has no `schema_version` and `vocabulary`. "
            f"Received: {shorten(value)}."
        )
    fields = Fields(value, file=file)
    version = fields.integer("schema_version", minimum=1)
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"{file} has schema version {version} of tokenizers; this keras_seq reads up to {SCHEMA_VERSION}. "
            "Upgrade keras_seq: `pip install --upgrade keras_seq`."
        )
    kind = _choice(fields, "kind", tuple(_KINDS))
    settings = {
        "vocabulary": _vocabulary(fields),
        **{name: fields.get(name, bool) for name in ("lowercase", "add_start", "add_end")},
        "max_length": fields.integer("max_length", minimum=1, optional=True),
    }
    needed = ["lower"] if settings["lowercase"] else []
    if kind != "char":
        settings["split_at"] = _choice(fields, "split", SPLITS)
        needed.append("whitespace")
    if kind in ("word", "wordchar"):
        settings["punctuation"] = _choice(fields, "punctuation", PUNCTUATION)
    if kind == "wordchar":
        settings["num_first"] = fields.integer("num_first", minimum=1)
        settings["num_last"] = fields.integer("num_last", minimum=0)
    elif kind == "wordpiece":
        settings["prefix"] = fields.text("prefix")
        settings["max_word_length"] = fields.integer("max_word_length", minimum=1)
    if settings.get("split_at") == "words" and settings.get("punctuation") != "keep":
        needed.append("punctuation")
    return _KINDS[kind](**settings, rules=Rules.from_fields(fields, needed))


def _choice(fields: Fields, name: str, choices: tuple[str, ...]) -> str:
    value = fields.text(name)
    if value not in choices:
        fields.refuse(name, f"one of {listed(choices)}", value)
    return value


def _vocabulary(fields: Fields) -> tuple[str, ...]:
    tokens = fields.get("vocabulary", list)
    wrong = next((i for i, token in enumerate(tokens) if not isinstance(token, str) or not token), None)
    if wrong is not None:
        fields.refuse(f"vocabulary[{wrong}]", "a string that is not empty", tokens[wrong])
    if tuple(tokens[: len(SPECIAL_TOKENS)]) != SPECIAL_TOKENS:
        fields.refuse("vocabulary", f"a list that starts with {listed(SPECIAL_TOKENS)}", tokens[: len(SPECIAL_TOKENS)])
    if len(set(tokens)) < len(tokens):
        token, count = Counter(tokens).most_common(1)[0]
        fields.refuse("vocabulary", "a list in which no token stands twice", f"{token!r} {count} times")
    return tuple(tokens)
