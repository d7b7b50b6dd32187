"""Tokenizers in plain Python: from text to the ids of a model, and back, as in training.

`load_tokenizer` reads the `tokenizer.json` that `keras_seq.text` writes and every bundle of a model of text holds.
Neither Keras nor TensorFlow is needed; the ids are the same, code point for code point.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "char_tokenizer": ["CharTokenizer"],
        "tokenizer": ["Tokenizer"],
        "tokenizer_file": ["load_tokenizer"],
        "word_character_tokenizer": ["WordCharacterTokenizer"],
        "word_piece_tokenizer": ["WordPieceTokenizer"],
        "word_tokenizer": ["WordTokenizer"],
    },
)
