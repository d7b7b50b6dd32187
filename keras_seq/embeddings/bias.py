"""Where a bias lies among word vectors, and how large it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from keras_seq.embeddings.word_vectors import WordVectors

__all__ = ["BiasDirection", "bias_direction", "direct_bias"]


@dataclass(frozen=True)
class BiasDirection:
    """A direction, or several that span a subspace, in which words of one kind differ.

    Attributes:
        components: `(directions, features)`, orthogonal, of length 1, the one with the largest share first.
        shares: `(directions,)`, the share of the variance within the definitional sets that lies in each. Where the
            first is not much larger than the second, the sets have no single direction in common.
    """

    components: np.ndarray
    shares: np.ndarray

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """The part of vectors that lies in the directions, `(..., features)`."""
        return vectors @ self.components.T @ self.components

    def along(self, vectors: WordVectors, words: Sequence[str]) -> dict[str, float]:
        """How far words lie along the first direction: the cosine, positive towards the first words of the sets.

        Raises:
            ValueError: If a word is unknown; the message lists words of near spelling.
        """
        cosines = vectors.unit[vectors.rows(words)] @ self.components[0]
        return dict(zip(words, map(float, cosines), strict=True))


def bias_direction(vectors: WordVectors, sets: Iterable[Sequence[str]], num_directions: int = 1) -> BiasDirection:
    """Finds a bias direction by the principal components of definitional sets (Bolukbasi et al. 2016, section 5).

    Each set has words that differ in the bias and little else: `("she", "he")`, `("woman", "man")`. Its vectors, at
    length 1, are centred; the directions in which they then vary most, over all sets, each set with the same weight,
    are the bias.

    Args:
        vectors: The vectors.
        sets: Pairs, or larger sets, all of whose words have a vector.
        num_directions: How many directions to keep.

    Returns:
        The directions, the first one pointing towards the first words of the sets.

    Raises:
        TypeError: If a set is a text.
        ValueError: If a word is unknown, a set has fewer than two different words, there is no set, or fewer directions
            than asked for.
    """
    sets = list(sets)
    if not sets:
        raise ValueError("A bias direction needs at least one set of words, such as ('she', 'he'). Received none.")
    rows = [vectors.rows(one) for one in sets]
    for one, found in zip(sets, rows, strict=True):
        if len(set(found)) < 2:
            raise ValueError(f"A definitional set needs at least two different words. Received: {tuple(one)!r}.")
    centred = [_centred(vectors.unit[found]) / np.sqrt(len(found)) for found in rows]
    _, spread, components = np.linalg.svd(np.concatenate(centred), full_matrices=False)
    variance = spread**2
    available = int(np.sum(variance > variance.sum() * 1e-9))
    if not 1 <= num_directions <= available:
        raise ValueError(
            f"`num_directions` must be from 1 to {available}, in which these {len(sets)} sets differ. Received: "
            f"{num_directions}."
        )
    # Components have no sign of their own: let each point from the last words of the sets to the first.
    firsts = sum(vectors.unit[found[0]] - vectors.unit[found[-1]] for found in rows)
    signs = np.where(components @ firsts < 0, -1.0, 1.0)
    components = (components * signs[:, None])[:num_directions]
    return BiasDirection(components, (variance / variance.sum())[:num_directions])


def direct_bias(vectors: WordVectors, direction: BiasDirection, words: Sequence[str], strictness: float = 1.0) -> float:
    """Measures how far words that ought to be neutral lie in the bias (Bolukbasi et al. 2016, section 5.2).

    `mean |cos(w, bias)| ** strictness`; with several directions, the length of the part that lies in them.

    Args:
        vectors: The vectors.
        direction: The bias.
        words: Words that ought to have no part in it, such as names of professions.
        strictness: The paper's c: with 0 any part counts as one, with 1 each counts as it is.

    Returns:
        From 0, no bias, to 1.

    Raises:
        ValueError: If a word is unknown, none is given, or the strictness is negative.
    """
    if strictness < 0:
        raise ValueError(f"`strictness` must be at least 0. Received: {strictness}.")
    rows = vectors.rows(words)
    if not rows:
        raise ValueError("`direct_bias` needs at least one word. Received none.")
    parts = np.linalg.norm(vectors.unit[rows] @ direction.components.T, axis=1)
    return float(np.mean(parts**strictness))


def _centred(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return rows - rows.mean(axis=0)
