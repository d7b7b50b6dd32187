"""A vocabulary as a tree that is walked by several letters at a time, in whole numbers: exact, unlike a hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["LetterTree", "letter_tree"]

_LARGEST = 2**62
"""What the key of one step stays below: int64, with a bit to spare."""


@dataclass(frozen=True)
class LetterTree:
    """Words as paths from node to node.

    A letter has a code from 1 up, no letter behind the end of a word the code 0. A step reads the next `widths[k]`
    codes as the digits of a number in base `base`, the first letter the lowest digit, and looks up `node * base **
    widths[k] + number`. Node 0 is where nothing leads on. A word has been read when a number is 0.

    Attributes:
        codes: Letter to code.
        base: One more than the largest code that can come: that of a letter of no word.
        widths: Letters that each step reads.
        steps: For each step its table, key to node.
        ids: By node, the id of the word that ends there, or that of unknown words.
    """

    codes: dict[str, int]
    base: int
    widths: list[int]
    steps: list[dict[int, int]]
    ids: list[int]

    @property
    def longest(self) -> int:
        """Letters that all steps read together: at least those of the longest word."""
        return sum(self.widths)

    @property
    def stranger(self) -> int:
        """The code of a letter that stands in no word."""
        return self.base - 1


def letter_tree(words: Mapping[str, int], unknown_id: int) -> LetterTree:
    """The tree of some words.

    Args:
        words: Word to id, and "" among them for padding.
        unknown_id: Of all others.

    Example:
    >>> tree = letter_tree({"": 0, "the": 4, "them": 5}, unknown_id=3)
    >>> tree.widths, tree.base, tree.ids
    ([4], 6, [3, 0, 4, 5])
    """
    codes = {letter: code for code, letter in enumerate(sorted(set("".join(words))), start=1)}
    base = len(codes) + 2
    digits = {word: [codes[letter] for letter in word] for word in words}
    longest = max(1, max(map(len, words)))
    ids, widths, steps, reached = [unknown_id], [], [], dict.fromkeys(words, 0)
    start = 0
    while start < longest:
        # Nodes of this step and all before have numbers of at most this; a key starts with one of them.
        width, room = 0, _LARGEST // (len(ids) + len(words))
        while base ** (width + 1) <= room and width < longest - start:
            width += 1
        table: dict[int, int] = {}
        for word, codes_of_word in digits.items():
            piece = codes_of_word[start : start + width]
            if start and not piece:
                continue
            key = reached[word] * base**width + sum(digit * base**i for i, digit in enumerate(piece))
            if key not in table:
                table[key] = len(ids)
                ids.append(unknown_id)
            reached[word] = table[key]
        widths.append(width)
        steps.append(table)
        start += width
    for word, node in reached.items():
        ids[node] = words[word]
    return LetterTree(codes, base, widths, steps, ids)
