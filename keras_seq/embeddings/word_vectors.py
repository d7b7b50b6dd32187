"""Words with a vector each: how close they are, and which are closest."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras
    import matplotlib.figure

    from keras_seq.embeddings.analogy_score import AnalogyScore
    from keras_seq.embeddings.similarity_score import SimilarityScore

__all__ = ["WordVectors"]

EPSILON = 1e-3  # of 3CosMul, as in Levy & Goldberg 2014, equation 4
_NEAR_SPELLINGS_AMONG = 50_000  # words that are looked through for near spellings; the frequent ones stand first


class WordVectors:
    """A table of word vectors. Needs NumPy alone; a few methods import more, and say what when it is missing.

    Closeness is the cosine: `similarity(u, v) = uᵀv / (|u| |v|)`. A vector of zeros is 0 to everything.

    Args:
        words: The words, none of them twice, the frequent ones first where that is known.
        vectors: `(words, features)`, finite. Kept as float32, and read-only.

    Attributes:
        words: The words, a tuple.
        vectors: `(words, features)`, float32.
        index: Word to row.

    Raises:
        TypeError: If a word is no text, or the vectors are no numbers.
        ValueError: If there is no word, one is empty or stands twice, or the vectors are not finite or not as many.

    Example:

    >>> from keras_seq.embeddings import WordVectors
    >>> words = ["king", "queen", "man", "woman", "apple"]
    >>> vectors = WordVectors(words, [[1, 1, 0.1], [1, -1, 0.1], [0, 1, 0.1], [0, -1, 0.2], [0, 0, 1]])
    >>> round(vectors.similarity("king", "man"), 2)
    0.71
    >>> vectors.analogy("man", "king", "woman", topn=1)  # king - man + woman
    [('queen', 0.96...)]
    """

    def __init__(self, words: Iterable[str], vectors: Any):
        self.words = tuple(words)
        self.vectors = _check_vectors(vectors, len(self.words))
        self.index = _index(self.words)
        odd = np.flatnonzero(~np.isfinite(self.vectors).all(axis=1))
        if odd.size:
            raise ValueError(
                f"Vectors must be finite. Received NaN or infinity for {self.words[odd[0]]!r} (row {odd[0]}), and in "
                f"{odd.size} of {len(self.words)} rows in all."
            )

    @property
    def features(self) -> int:
        """The length of each vector."""
        return self.vectors.shape[1]

    @cached_property
    def unit(self) -> np.ndarray:
        """The vectors at length 1, `(words, features)`, float32; those of zeros as they are."""
        norms = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        unit = self.vectors / np.where(norms > 0, norms, 1)
        unit.setflags(write=False)
        return unit

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    def __getitem__(self, word: str) -> np.ndarray:
        if word not in self.index:
            raise KeyError(self._unknown(word))
        return self.vectors[self.index[word]]

    def __repr__(self) -> str:
        return f"<WordVectors: {len(self):,} words, {self.features} features>"

    def rows(self, words: Iterable[str]) -> list[int]:
        """The rows of words.

        Raises:
            TypeError: If `words` is a single text, which would be taken letter by letter.
            ValueError: If one is unknown; the message lists words of near spelling.
        """
        if isinstance(words, str):
            raise TypeError(f"Words must come in a list. Received the text {words!r}: write [{words!r}].")
        found = []
        for word in words:
            if word not in self.index:
                raise ValueError(self._unknown(word))
            found.append(self.index[word])
        return found

    def subset(self, words: Iterable[str]) -> WordVectors:
        """The vectors of some of the words, in their order.

        Raises:
            ValueError: If one is unknown, or none is given.
        """
        words = list(words)
        return WordVectors(words, self.vectors[self.rows(words)])

    def similarity(self, first: str, second: str) -> float:
        """The cosine of two words, from -1 to 1.

        Raises:
            ValueError: If one is unknown; the message lists words of near spelling.
        """
        one, two = self.unit[self.rows([first, second])].astype(np.float64)
        return float(one @ two)

    def most_similar(
        self,
        positive: str | Sequence[str],
        negative: str | Sequence[str] = (),
        topn: int = 10,
        *,
        method: str = "add",
        among: int | None = None,
    ) -> list[tuple[str, float]]:
        """The words closest to some and farthest from others; the words of the question are left out.

        3CosAdd, `"add"` (Mikolov et al. 2013): the cosine with the sum of the positive vectors less the negative ones,
        each at length 1. 3CosMul, `"mul"` (Levy & Goldberg 2014, https://aclanthology.org/W14-1618, equation 4):
        the product of the similarities to the positive ones by that to the negative ones plus 0.001, similarities being
        `(1 + cosine) / 2`; one large similarity cannot outweigh the others there.

        Args:
            positive: A word or several.
            negative: Likewise.
            topn: How many to give.
            method: `"add"` or `"mul"`.
            among: Look only through so many words from the first on: the frequent ones, in most files.

        Returns:
            Pairs of word and score, the best first; of equals the one that stands first. Fewer where there are no more.

        Raises:
            ValueError: If a word is unknown, no positive one is given, or an argument is out of range.
        """
        asked = [self.rows([words] if isinstance(words, str) else words) for words in (positive, negative)]
        if not asked[0]:
            raise ValueError("`most_similar` needs at least one positive word. Received none.")
        _check_at_least_one("topn", topn)
        if among is not None:
            _check_at_least_one("among", among)
        scores = combine(self.unit[:among], self.unit[asked[0]], self.unit[asked[1]], method)
        scores[[row for row in asked[0] + asked[1] if row < len(scores)]] = -np.inf
        return [(self.words[row], float(scores[row])) for row in _best(scores, topn) if scores[row] > -np.inf]

    def analogy(
        self, a: str, b: str, c: str, topn: int = 1, *, method: str = "add", among: int | None = None
    ) -> list[tuple[str, float]]:
        """What is to `c` as `b` is to `a`: man is to king as woman is to ... (king - man + woman).

        Args:
            a: `"man"`.
            b: `"king"`.
            c: `"woman"`.
            topn: See `most_similar`, as the rest. `a`, `b` and `c` themselves are never given.
            method: `"add"` or `"mul"`.
            among: Look only through so many words from the first on.

        Returns:
            Pairs of word and score, the best first.

        Raises:
            ValueError: If a word is unknown; the message lists words of near spelling.
        """
        return self.most_similar([b, c], [a], topn, method=method, among=among)

    def evaluate_analogies(self, path: str | os.PathLike, **settings: Any) -> AnalogyScore:
        """Answers the questions of a file such as `questions-words.txt`; see `keras_seq.embeddings.score_analogies`."""
        from keras_seq.embeddings.analogy_score import score_analogies

        return score_analogies(self, path, **settings)

    def evaluate_similarity(self, path: str | os.PathLike, **settings: Any) -> SimilarityScore:
        """Compares with people's judgements such as WordSim-353; see `keras_seq.embeddings.score_similarity`."""
        from keras_seq.embeddings.similarity_score import score_similarity

        return score_similarity(self, path, **settings)

    def save(self, path: str | os.PathLike, **settings: Any) -> None:
        """Writes a file; see `keras_seq.embeddings.write_word_vectors`."""
        from keras_seq.embeddings.vector_file import write_word_vectors

        write_word_vectors(self, path, **settings)

    @classmethod
    def load(cls, path: str | os.PathLike, **settings: Any) -> WordVectors:
        """Reads a file; see `keras_seq.embeddings.read_word_vectors`."""
        from keras_seq.embeddings.vector_file import read_word_vectors

        return read_word_vectors(path, **settings)

    def to_embedding_layer(self, vocabulary: Any, **settings: Any) -> keras.layers.Embedding:
        """Makes an embedding layer that starts from these vectors; see `keras_seq.embeddings.to_embedding_layer`."""
        from keras_seq.embeddings.embedding_layer import to_embedding_layer

        return to_embedding_layer(self, vocabulary, **settings)

    def plot(self, words: Any = None, **settings: Any) -> matplotlib.figure.Figure:
        """Draws words as points in the plane, near where they are close; see `keras_seq.embeddings.plot`."""
        from keras_seq.embeddings.vector_plot import plot

        return plot(self, words, **settings)

    def _unknown(self, word: object) -> str:
        return f"{word!r} is not among the {len(self):,} words. {self._near(word)}"

    def _near(self, word: object) -> str:
        near = []
        if isinstance(word, str):
            cases = (word.lower(), word.capitalize(), word.upper())
            near = [case for case in dict.fromkeys(cases) if case in self.index]
            near += difflib.get_close_matches(word, self.words[:_NEAR_SPELLINGS_AMONG], 4)
        if near:
            return f"Near in spelling: {', '.join(map(repr, dict.fromkeys(near)))}."
        return f"None is near in spelling. Among them are: {', '.join(map(repr, self.words[:4]))}."


def combine(candidates: np.ndarray, positive: np.ndarray, negative: np.ndarray, method: str) -> np.ndarray:
    """Scores candidates by 3CosAdd or 3CosMul, see `WordVectors.most_similar`.

    Args:
        candidates: `(words, features)`, of length 1.
        positive: `(count, features)` or, for many questions at once, `(count, questions, features)`, of length 1.
        negative: Likewise.
        method: `"add"` or `"mul"`.

    Returns:
        `(words,)` or `(words, questions)`.

    Raises:
        ValueError: If the method is neither.
    """
    if method == "add":
        query = positive.sum(axis=0) - negative.sum(axis=0)
        norm = np.linalg.norm(query, axis=-1, keepdims=True)
        return candidates @ np.atleast_1d(query / np.where(norm > 0, norm, 1)).T
    if method == "mul":
        closeness = [
            np.prod([(1 + candidates @ one.T) / 2 for one in several], axis=0) if len(several) else 1.0
            for several in (positive, negative)
        ]
        return closeness[0] / (closeness[1] + EPSILON)
    raise ValueError(f"`method` must be 'add' or 'mul'. Received: {method!r}.")


def _best(scores: np.ndarray, topn: int) -> np.ndarray:
    """The rows of the highest scores, the best first, of equals the first."""
    topn = min(topn, len(scores))
    least = np.partition(scores, len(scores) - topn)[len(scores) - topn]
    rows = np.flatnonzero(scores >= least)
    return rows[np.argsort(-scores[rows], kind="stable")][:topn]


def _check_vectors(vectors: Any, num_words: int) -> np.ndarray:
    if num_words == 0:
        raise ValueError("Word vectors need at least one word. Received none.")
    try:
        array = np.array(vectors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise TypeError(f"Vectors must be numbers, `(words, features)`. Received: {error}.") from error
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"Vectors must have the shape (words, features). Received the shape {array.shape}.")
    if len(array) != num_words:
        raise ValueError(f"Each word needs one vector. Received {num_words} words and {len(array)} vectors.")
    array.setflags(write=False)  # `unit` is computed once
    return array


def _index(words: tuple[str, ...]) -> dict[str, int]:
    index: dict[str, int] = {}
    for row, word in enumerate(words):
        if not isinstance(word, str):
            raise TypeError(f"Words must be texts. Received in row {row}: {word!r}.")
        if not word:
            raise ValueError(f"A word must have a letter at least. Received an empty one in row {row}.")
        if index.setdefault(word, row) != row:
            raise ValueError(f"A word has one vector. Received {word!r} twice, in rows {index[word]} and {row}.")
    return index


def _check_at_least_one(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"`{name}` must be a whole number from 1 on. Received: {value!r}.")
