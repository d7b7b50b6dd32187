"""Words in pieces that the vocabulary has."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from keras_seq.serving.text.tokenizer import SPECIAL_TOKENS, UNKNOWN, Tokenizer
from keras_seq.serving.text.words import word_finder

_WORDS_REMEMBERED = 2**14


@dataclass(frozen=True, kw_only=True)
class WordPieceTokenizer(Tokenizer):
    """Words and marks of punctuation, each cut into the longest pieces that the vocabulary has, from left to right.

    Schuster & Nakajima 2012, "Japanese and Korean Voice Search"; Devlin et al. 2019,
    https://arxiv.org/abs/1810.04805. A word that cannot be covered, or is too long, is one unknown token.

    Attributes:
        split_at: `"words"`, or `"whitespace"` where marks of punctuation do not separate words.
        prefix: Stands before pieces that do not begin a word.
        max_word_length: Words of more code points are unknown.

    Example:
        >>> from keras_seq.serving.text.rules import Rules
        >>> pieces = WordPieceTokenizer(
        ...     vocabulary=("<pad>", "<start>", "<end>", "<unk>", "un", "##able", "##afford"),
        ...     rules=Rules(whitespace=((32, 32),), punctuation=((33, 33),)),
        ... )
        >>> pieces.split("unaffordable uncle")
        ['un', '##afford', '##able', '<unk>']
        >>> pieces.decode([4, 6, 5])
        'unaffordable'
    """

    split_at: str = "words"
    prefix: str = "##"
    max_word_length: int = 100

    def _split(self, text: str) -> list[str]:
        return [piece for word in self._find_words(text) for piece in self._pieces_of(word)]

    def _piece(self, token: str, begun: bool) -> str:
        if token.startswith(self.prefix):
            return token.removeprefix(self.prefix)
        return f" {token}" if begun else token

    @cached_property
    def _find_words(self) -> Callable[[str], list[str]]:
        marks = self.rules.punctuation if self.split_at == "words" else ()
        return word_finder(self.rules.whitespace, marks, keep_marks=True)

    @cached_property
    def _longest(self) -> int:
        return max((len(token) for token in self._index), default=0)

    @cached_property
    def _pieces_of(self) -> Callable[[str], tuple[str, ...]]:
        """A function from a word to its pieces, which remembers those of the words seen last."""
        return lru_cache(_WORDS_REMEMBERED)(self._cover)

    def _cover(self, word: str) -> tuple[str, ...]:
        unknown = (SPECIAL_TOKENS[UNKNOWN],)
        if len(word) > self.max_word_length:
            return unknown
        pieces: list[str] = []
        start, index = 0, self._index
        while start < len(word):
            prefix = self.prefix if start else ""
            ends = range(min(len(word), start + self._longest - len(prefix)), start, -1)
            end = next((end for end in ends if prefix + word[start:end] in index), None)
            if end is None:
                return unknown
            pieces.append(prefix + word[start:end])
            start = end
        return tuple(pieces)
