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
        ['un', '##afford', '##able', 'uncle']
        >>> pieces.encode("unaffordable uncle").tolist()
        [4, 6, 5, 3]
        >>> pieces.decode([4, 6, 5])
        'unaffordable'
    """

    split_at: str = "words"
    prefix: str = "##"
    max_word_length: int = 100

    def _split(self, text: str) -> list[str]:
        words = ((word, self._cover_of(word)) for word in self._find_words(text))
        # Of a word that is unknown the text is kept.
        return [self.vocabulary[i] if i != UNKNOWN else word for word, ids in words for i in ids]

    def _ids(self, text: str) -> list[int]:
        return [i for word in self._find_words(text) for i in self._cover_of(word)]

    def _as_written(self, text: str) -> list[str]:
        lowered, tokens, end = self._lowered(text), [], 0
        for word in self._find_words(lowered):
            start = lowered.index(word, end)
            end = start + len(word)  # lowering keeps the number of code points
            if (ids := self._cover_of(word)) == (UNKNOWN,):
                tokens.append(text[start:end])
                continue
            prefix = ""
            for i in ids:
                size = len(self.vocabulary[i]) - len(prefix)
                tokens.append(prefix + text[start : start + size])
                start, prefix = start + size, self.prefix
        return tokens

    def _piece(self, token: str, begun: bool) -> str:
        if token.startswith(self.prefix) and token != self.prefix:
            return token.removeprefix(self.prefix)
        return f" {token}" if begun else token

    @cached_property
    def _find_words(self) -> Callable[[str], list[str]]:
        marks = self.rules.punctuation if self.split_at == "words" else ()
        return word_finder(self.rules.whitespace, marks, keep_marks=True)

    @cached_property
    def _piece_index(self) -> dict[str, int]:
        return {**self._index, SPECIAL_TOKENS[UNKNOWN]: UNKNOWN}

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._piece_index))

    @cached_property
    def _cover_of(self) -> Callable[[str], tuple[int, ...]]:
        """A function from a word to the ids of its pieces, which remembers those of the words seen last."""
        return lru_cache(_WORDS_REMEMBERED)(self._cover)

    def _cover(self, word: str) -> tuple[int, ...]:
        if len(word) > self.max_word_length:
            return (UNKNOWN,)
        ids: list[int] = []
        start, index = 0, self._piece_index
        while start < len(word):
            prefix = self.prefix if start else ""
            ends = range(min(len(word), start + self._longest - len(prefix)), start, -1)
            end = next((end for end in ends if prefix + word[start:end] in index), None)
            if end is None:
                return (UNKNOWN,)
            ids.append(index[prefix + word[start:end]])
            start = end
        return tuple(ids)
