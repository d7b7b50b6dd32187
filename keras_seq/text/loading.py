"""Loading a tokenizer of any kind."""

import os
from typing import Any

from keras_seq.text.char_tokenizer import CharTokenizer
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.tokenizer_file import check_document, read_document
from keras_seq.text.word_character_tokenizer import WordCharacterTokenizer
from keras_seq.text.word_piece_tokenizer import WordPieceTokenizer
from keras_seq.text.word_tokenizer import WordTokenizer

_CLASSES: dict[str, type[Tokenizer]] = {
    made.kind: made for made in (CharTokenizer, WordCharacterTokenizer, WordPieceTokenizer, WordTokenizer)
}


def load_tokenizer(path: str | os.PathLike, **kwargs: Any) -> Tokenizer:
    """Reads a tokenizer of any kind.

    Args:
        path: What a tokenizer's `save` wrote: `tokenizer.json`, in a bundle `tokenizers/*.json`.
        **kwargs: `ragged` and `name`, which are not in it.

    Returns:
        The tokenizer.

    Raises:
        ValueError: If the file is no tokenizer's.

    Example:

    >>> CharTokenizer.from_lines(["banana"]).save("tokenizer.json")
    >>> load_tokenizer("tokenizer.json").encode("nab")
    [5, 4, 6]
    """
    document = read_document(path)
    try:
        kind, _ = check_document(document)
        return _CLASSES[kind].from_dict(document, **kwargs)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)!r}: {error}") from error
