"""Tokenizers: from strings to ids and back, inside a model or before it.

TensorFlow is imported when a tokenizer works, tensorflow-text by `WordPieceTokenizer` alone.
"""

from keras_seq.text.char_tokenizer import CharTokenizer
from keras_seq.text.loading import load_tokenizer
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.word_character_tokenizer import WordCharacterTokenizer
from keras_seq.text.word_piece_tokenizer import WordPieceTokenizer
from keras_seq.text.word_tokenizer import WordTokenizer

__all__ = [
    "CharTokenizer",
    "Tokenizer",
    "WordCharacterTokenizer",
    "WordPieceTokenizer",
    "WordTokenizer",
    "load_tokenizer",
]
