"""Words that sound alike: which of them was said, a recogniser of speech has to ask a language model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

HOMOPHONES = (
    ("their", "there"),
    ("to", "too", "two"),
    ("hear", "here"),
    ("know", "no"),
    ("knows", "nose"),
    ("by", "buy", "bye"),
    ("for", "four"),
    ("right", "write"),
    ("new", "knew"),
    ("son", "sun"),
    ("see", "sea"),
    ("one", "won"),
    ("be", "bee"),
    ("would", "wood"),
    ("our", "hour"),
    ("pair", "pear"),
    ("piece", "peace"),
    ("whole", "hole"),
    ("week", "weak"),
    ("some", "sum"),
    ("in", "inn"),
    ("not", "knot"),
    ("night", "knight"),
    ("through", "threw"),
    ("meet", "meat"),
    ("dear", "deer"),
    ("so", "sew"),
    ("its", "it's"),
    ("your", "you're"),
    ("whose", "who's"),
    ("where", "wear"),
    ("which", "witch"),
    ("made", "maid"),
    ("main", "mane"),
    ("great", "grate"),
    ("passed", "past"),
    ("than", "then"),
    ("way", "weigh"),
    ("sent", "cent"),
    ("fair", "fare"),
    ("heart", "hart"),
    ("blue", "blew"),
)
WORD = re.compile(r"[\w']+")
MIN_COUNT = 5  # how often both words must have been read
LONGEST = 200  # characters of a sentence


@dataclass(frozen=True)
class Swap:
    """A sentence, and the same with another word that sounds alike.

    Args:
        sentence: The sentence as it was written.
        swapped: The other.
        said: The word that was written.
        other: The one in its place.
    """

    sentence: str
    swapped: str
    said: str
    other: str


def find_swaps(train: Iterable[str], held_out: Iterable[str], most: int) -> list[Swap]:
    """Finds words in held-out sentences that others sound like.

    In half of the swaps the rarer of the two words was said, as far as there are such, so that to choose the frequent
    one each time is right in half of them.

    Args:
        train: The texts that models learn from; both words must occur in them several times.
        held_out: The texts to search.
        most: How many swaps to return at most, evenly from front to back.

    Returns:
        The swaps, each with one word changed.

    Example:
        >>> held_out = ["Me too. Go to bed! You too, go to bed."]
        >>> for swap in find_swaps(["to too to too to too to too to too to"], held_out, most=2):
        ...     print(swap.swapped)
        Me to.
        Go too bed!
    """
    counts = Counter(word for text in train for word in WORD.findall(text))
    others = {
        word: [other for other in group if other != word and counts[other] >= MIN_COUNT]
        for group in HOMOPHONES
        for word in group
        if counts[word] >= MIN_COUNT
    }
    rarer, commoner = [], []
    for sentence in _sentences(held_out):
        for match in WORD.finditer(sentence):
            for other in others.get(match[0], ()):
                swapped = sentence[: match.start()] + other + sentence[match.end() :]
                swaps = rarer if counts[match[0]] < counts[other] else commoner
                swaps.append(Swap(sentence, swapped, match[0], other))
    half = min(most // 2, len(rarer), len(commoner))
    return [*_evenly(rarer, half), *_evenly(commoner, half)]


def _sentences(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (sentence for sentence in re.split(r"(?<=[.!?;])\s+", text) if len(sentence) <= LONGEST)


def _evenly(swaps: list[Swap], count: int) -> list[Swap]:
    return [swaps[index * len(swaps) // count] for index in range(min(count, len(swaps)))]


def choose(log_probs: Callable[[Sequence[str]], np.ndarray], swaps: Sequence[Swap]) -> tuple[np.ndarray, np.ndarray]:
    """Lets a model choose between the sentences of swaps.

    Args:
        log_probs: From sentences to the logarithms of their probabilities.
        swaps: The swaps.

    Returns:
        By how much the sentence as it was written is the likelier, in nats, and whether it is: `(swaps,)` each.
    """
    said = log_probs([swap.sentence for swap in swaps])
    other = log_probs([swap.swapped for swap in swaps])
    return said - other, said > other
