"""Sentences to words and back: enough for short sentences of European languages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_TOKEN = re.compile("\\d+(?:[.:,]\\d+)*|\\w+(?:['\u2019-]\\w+)*|[^\\w\\s]")  # with either apostrophe
_NO_SPACE_BEFORE = frozenset(".,!?;:%)]}“…")
_NO_SPACE_AFTER = frozenset("([{„")
_SENTENCE_ENDS = frozenset(".!?")


def split_words(text: str) -> tuple[str, ...]:
    """Cuts a sentence into words, numbers and marks.

    Example:
        >>> split_words("Don't go, it's 5:30!")
        ("Don't", 'go', ',', "it's", '5:30', '!')
    """
    return tuple(_TOKEN.findall(text))


def join_words(words: Sequence[str]) -> str:
    """Writes words as a sentence again: marks without their blanks, sentences with a capital.

    Example:
        >>> join_words(("ich", "habe", "„", "nein", "“", "gesagt", ",", "Tom", "!"))
        'Ich habe „nein“ gesagt, Tom!'
    """
    text, quoted, tight, start = "", False, True, True
    for word in words:
        closes = word == '"' and quoted
        text += word if tight or closes or word in _NO_SPACE_BEFORE else f" {word}"
        if start and word[0].isalnum():
            text = text[: -len(word)] + word[0].upper() + word[1:]
            start = False
        tight = word in _NO_SPACE_AFTER or (word == '"' and not quoted)
        quoted ^= word == '"'
        start = start or word in _SENTENCE_ENDS
    return text


@dataclass(frozen=True)
class Truecaser:
    """Takes the capital off words that have it only because a sentence begins with them.

    A model then sees one word where there would be two, and `join_words` gives the capital back.

    Args:
        lower: The words that are written small where no sentence begins.

    Example:
        >>> truecaser = Truecaser.fit([("Das", "ist", "Tom", "."), ("Ist", "das", "Tom", "?")])
        >>> truecaser.apply(("Das", "ist", "Tom", ".")), truecaser.apply(("Tom", "ist", "das", "."))
        (('das', 'ist', 'Tom', '.'), ('Tom', 'ist', 'das', '.'))
    """

    lower: frozenset[str]

    @classmethod
    def fit(cls, sentences: Iterable[Sequence[str]]) -> Truecaser:
        """Counts how words are written inside of sentences: small, or with a capital."""
        counts = Counter(word for words in sentences for index, word in enumerate(words) if not _begins(words, index))
        small = (word for word in counts if word == word.lower() != word.upper())
        return cls(frozenset(word for word in small if counts[word] >= counts[word[0].upper() + word[1:]]))

    def apply(self, words: Sequence[str]) -> tuple[str, ...]:
        """Writes the words that begin a sentence as they are written elsewhere."""
        return tuple(
            small if _begins(words, index) and (small := word[0].lower() + word[1:]) in self.lower else word
            for index, word in enumerate(words)
        )


def _begins(words: Sequence[str], index: int) -> bool:
    """Whether a word is the first of a sentence, quotation marks aside."""
    while index and not (words[index - 1][0].isalnum() or words[index - 1] in {",", ";", ":"} | _SENTENCE_ENDS):
        index -= 1
    return index == 0 or words[index - 1] in _SENTENCE_ENDS
