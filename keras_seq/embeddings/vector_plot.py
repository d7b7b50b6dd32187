"""Draws word vectors in the plane."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_seq.embeddings.requirements import require
from keras_seq.embeddings.word_vectors import WordVectors

if TYPE_CHECKING:
    import matplotlib.figure

__all__ = ["plane", "plot"]

_LEAST = 4  # words; of three, every arrangement looks alike
_MOST_EXACT = 300  # words; with more the approximation is faster


def plot(
    vectors: WordVectors,
    words: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    *,
    path: str | os.PathLike | None = None,
    title: str | None = None,
    perplexity: float | None = None,
    seed: int = 0,
    num_words: int = 200,
) -> matplotlib.figure.Figure:
    """Draws words as points in the plane, near where their vectors are close.

    By t-SNE (van der Maaten & Hinton 2008) over the cosine. It keeps neighbours together; distances between groups, and
    their sizes, mean nothing.

    Args:
        vectors: The vectors.
        words: Words, or a name of each group of them, which then have a colour each; the first `num_words` where None.
        path: Where to write the picture; the ending tells the format, `.png`, `.svg` or `.pdf`. None writes nothing.
        title: What to write above.
        perplexity: About how many neighbours count for a word; a third of the words, and 30 at most, where None.
        seed: Of the arrangement.
        num_words: How many words to draw where none are named.

    Returns:
        The figure. It needs no display, and belongs to no window.

    Raises:
        ModuleNotFoundError: If scikit-learn or matplotlib is not installed; with the line that installs it.
        ValueError: If a word is unknown or stands twice, or fewer than four are given.
    """
    figures = require("matplotlib.figure", "`plot`")
    groups = words if isinstance(words, Mapping) else {"": vectors.words[:num_words] if words is None else words}
    rows = {name: vectors.rows(group) for name, group in groups.items()}
    every = [row for group in rows.values() for row in group]
    if len(set(every)) < len(every):
        twice = next(row for index, row in enumerate(every) if row in every[:index])
        raise ValueError(f"Each word is drawn once. Received {vectors.words[twice]!r} twice.")
    points = dict(zip(every, plane(vectors.unit[every], perplexity=perplexity, seed=seed), strict=True))

    figure = figures.Figure(figsize=(9, 9), layout="tight")
    axes = figure.subplots()
    for number, (name, group) in enumerate(rows.items()):
        x, y = np.array([points[row] for row in group]).T
        axes.scatter(x, y, s=14, color=f"C{number}", label=name)
        for row in group:
            axes.annotate(_plain(vectors.words[row]), points[row], (3, 3), textcoords="offset points", fontsize=8)
    if isinstance(words, Mapping):
        axes.legend()
    axes.set_xticks([])
    axes.set_yticks([])
    if title:
        axes.set_title(_plain(title))
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def plane(rows: np.ndarray, *, perplexity: float | None = None, seed: int = 0) -> np.ndarray:
    """Arranges vectors in the plane by t-SNE over the cosine.

    Args:
        rows: `(count, features)`, four at least.
        perplexity: See `plot`.
        seed: Of the arrangement.

    Returns:
        `(count, 2)`.

    Raises:
        ModuleNotFoundError: If scikit-learn is not installed; with the line that installs it.
        ValueError: If there are fewer than four rows, or the perplexity is not below their number.
    """
    manifold = require("sklearn.manifold", "`plot`")
    if len(rows) < _LEAST:
        raise ValueError(f"A map needs at least {_LEAST} words. Received {len(rows)}.")
    if perplexity is None:
        perplexity = min(30.0, (len(rows) - 1) / 3)
    if not 0 < perplexity < len(rows):
        raise ValueError(
            f"`perplexity` must be above 0 and below the number of words, {len(rows)}. Received: {perplexity}."
        )
    return manifold.TSNE(
        2,
        perplexity=perplexity,
        metric="cosine",
        init="random",
        learning_rate="auto",
        method="exact" if len(rows) <= _MOST_EXACT else "barnes_hut",
        random_state=seed,
    ).fit_transform(rows)


def _plain(text: str) -> str:
    """Escapes dollar signs: matplotlib would read what stands between two as a formula."""
    return text.replace("$", r"\$")
