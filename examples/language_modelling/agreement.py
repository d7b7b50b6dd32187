"""Sentences whose verb agrees with a subject far in front of it: "the cat , which already ate ... , was full"."""

from __future__ import annotations

import numpy as np

NOUNS = (("cat", "cats"), ("dog", "dogs"), ("bird", "birds"), ("child", "children"), ("mouse", "mice"))
VERBS = ("was", "were")  # of a subject that is one, and of one that is many
PLACES = ("near", "behind", "beside", "under")
MANNERS = ("already", "often", "there", "today")
WORDS = ("the", ",", "which", "ate", *PLACES, *MANNERS, *(form for noun in NOUNS for form in noun))
IDS = {word: index for index, word in enumerate(WORDS)}
SUBJECT = 1  # its place in a sentence, behind "the"
SHORTEST = 4  # words between subject and verb: ", which ate ,"


def sentences(count: int, distance: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Makes sentences, each up to its verb and without it.

    Between subject and verb stands a clause with nouns of its own. Whether those are one or many is drawn apart from
    the subject's number, so nothing but the subject tells the form of the verb.

    Args:
        count: How many sentences.
        distance: How many words stand between the subject and the verb, at least 4.
        random: What draws the words.

    Returns:
        The ids of the words, int32 `(count, distance + 2)`, and the form of the verb, float32 `(count,)`: 0 where it is
        "was", 1 where it is "were".

    Raises:
        ValueError: If the distance is too short for the clause.

    Example:
        >>> ids, verbs = sentences(1, 9, np.random.default_rng(3))
        >>> print(*(WORDS[index] for index in ids[0]), VERBS[int(verbs[0])])
        the mouse , which ate near the cats already often , was
    """
    if distance < SHORTEST:
        raise ValueError(f"`distance` must be at least {SHORTEST}. Received: distance={distance}.")
    ids = np.empty((count, distance + 2), "int32")
    ids[:, 0] = IDS["the"]
    ids[:, SUBJECT] = _draw_nouns(count, random)
    ids[:, 2:5] = [IDS[word] for word in (",", "which", "ate")]
    ids[:, -1] = IDS[","]
    missing = np.zeros(count, "int32")  # words that the phrase that was begun, "near the dogs", still needs
    for position in range(5, distance + 1):
        fits = distance + 1 - position >= 3
        begins = (missing == 0) & fits & (random.random(count) < 0.5)
        single = _draw(MANNERS, count, random)
        opening = np.where(begins, _draw(PLACES, count, random), single)
        ids[:, position] = np.choose(missing, [opening, _draw_nouns(count, random), IDS["the"]])
        missing = np.where(begins, 2, np.maximum(missing - 1, 0))
    plural = (ids[:, SUBJECT] - IDS[NOUNS[0][0]]) % 2
    return ids, plural.astype("float32")


def _draw(words: tuple[str, ...], count: int, random: np.random.Generator) -> np.ndarray:
    return random.choice([IDS[word] for word in words], count)


def _draw_nouns(count: int, random: np.random.Generator) -> np.ndarray:
    return _draw(tuple(form for noun in NOUNS for form in noun), count, random)
