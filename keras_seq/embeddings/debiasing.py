"""Takes a bias out of word vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from keras_seq.embeddings.bias import BiasDirection, bias_direction
from keras_seq.embeddings.debiasing_report import DebiasingReport
from keras_seq.embeddings.word_vectors import WordVectors

__all__ = ["debias", "equalize", "neutralize"]


def debias(
    vectors: WordVectors,
    sets: Sequence[Sequence[str]],
    *,
    neutral: Iterable[str] | None = None,
    specific: Iterable[str] = (),
    equal: Sequence[Sequence[str]] | None = None,
    num_directions: int = 1,
) -> DebiasingReport:
    """Takes a bias out: finds its direction, neutralises, equalises (Bolukbasi et al. 2016, "hard" debiasing).

    https://arxiv.org/abs/1607.06520. What is taken out is the direction alone: Gonen & Goldberg 2019
    (https://aclanthology.org/N19-1061) show that words which shared a bias stay close to one another afterwards, so a
    bias measured as 0 here may still be learnt back from the neighbours.

    Args:
        vectors: The vectors.
        sets: Definitional sets, words that differ in the bias: `[("she", "he"), ("woman", "man"), ...]`.
        neutral: Words that are to lose their part in the bias. If `None`, all words but `specific` ones and those of
            `sets` and `equal`.
        specific: Words that keep their part, because they have it by their meaning: `["beard", "mother", ...]`.
        equal: Sets whose words are to differ in the bias alone, and to lie equally far from every neutral word. If
            `None`, `sets`; none for `()`.
        num_directions: Of the bias.

    Returns:
        The new vectors, all of length 1, and measures from before and after.

    Raises:
        TypeError: If a set is a text.
        ValueError: If a word is unknown, is neutral and of a set at once, or a set does not differ in the bias.

    Example:

    >>> from keras_seq.embeddings import WordVectors, debias
    >>> words = ["she", "he", "nurse", "doctor"]
    >>> vectors = WordVectors(words, [[1, 0.2, 0], [-1, 0.1, 0], [0.5, 0, 1], [-0.3, 0.2, 1]])
    >>> report = debias(vectors, [("she", "he")])
    >>> print(report)
    direct bias 0.3597 before, 0.0000 after, over 2 neutral words
    the direction holds 100.0% of the variance within the definitional sets
    >>> round(report.vectors.similarity("nurse", "she") - report.vectors.similarity("nurse", "he"), 6)
    0.0
    """
    direction = bias_direction(vectors, sets, num_directions)
    equal = sets if equal is None else equal
    together = [word for one in [*sets, *equal] for word in one]
    vectors.rows([*together, *specific])
    if neutral is None:
        biased = {*together, *specific}
        neutral = [word for word in vectors.words if word not in biased]
    else:
        neutral = list(neutral)
        if both := sorted({*neutral} & {*together, *specific}):
            raise ValueError(f"A word is either neutral or not. Received as both: {', '.join(map(repr, both[:5]))}.")
    after = neutralize(vectors, direction, neutral)
    if equal:
        after = equalize(after, direction, equal)
    return DebiasingReport(vectors, after, direction, tuple(neutral))


def neutralize(vectors: WordVectors, direction: BiasDirection, words: Iterable[str]) -> WordVectors:
    """Takes the part of words out that lies in the bias, and sets them to length 1.

    A word w becomes `(w - w_B) / |w - w_B|`, where w_B is its part in the bias.

    Args:
        vectors: The vectors.
        direction: The bias.
        words: The words; the others are set to length 1 and otherwise left.

    Returns:
        New vectors, all of length 1.

    Raises:
        ValueError: If a word is unknown, or lies in the bias wholly, so that nothing is left of it.
    """
    unit = vectors.unit.astype(np.float64)
    rows = vectors.rows(words)
    rest = unit[rows] - direction.project(unit[rows])
    norms = np.linalg.norm(rest, axis=1, keepdims=True)
    was_zero = np.linalg.norm(unit[rows], axis=1, keepdims=True) == 0
    if (lost := np.flatnonzero((norms < 1e-6) & ~was_zero)).size:
        raise ValueError(
            f"Nothing is left of {vectors.words[rows[lost[0]]]!r} outside the bias: it cannot be neutral. Name it "
            "among the specific words."
        )
    unit[rows] = rest / np.where(was_zero, 1, norms)
    return WordVectors(vectors.words, unit)


def equalize(vectors: WordVectors, direction: BiasDirection, sets: Iterable[Sequence[str]]) -> WordVectors:
    """Lets the words of a set differ in the bias alone.

    With m the mean of the set and m_B its part in the bias, each word w becomes
    `(m - m_B) + sqrt(1 - |m - m_B|²) (w_B - m_B) / |w_B - m_B|`: the part outside the bias is the same for all, and the
    length 1.

    Args:
        vectors: The vectors.
        direction: The bias.
        sets: Sets of words, such as `("grandmother", "grandfather")`.

    Returns:
        New vectors, all of length 1.

    Raises:
        ValueError: If a word is unknown or in two sets, or words of a set do not differ in the bias.
    """
    unit = vectors.unit.astype(np.float64)
    taken: set[int] = set()
    for one in sets:
        rows = vectors.rows(one)
        if len(set(rows)) < 2 or taken.intersection(rows):
            raise ValueError(
                "A set to equalise needs at least two different words, none of them in another set too. Received: "
                f"{tuple(one)!r}."
            )
        taken.update(rows)
        mean = unit[rows].mean(axis=0)
        outside = mean - direction.project(mean)
        inside = direction.project(unit[rows] - mean)
        lengths = np.linalg.norm(inside, axis=1, keepdims=True)
        if (lengths < 1e-6).any():
            raise ValueError(f"The words {tuple(one)!r} do not differ in the bias, so they cannot be set apart by it.")
        unit[rows] = outside + np.sqrt(max(0.0, 1 - outside @ outside)) * inside / lengths
    return WordVectors(vectors.words, unit)
