"""How many analogies word vectors answer right."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_seq.embeddings.folded_words import FoldedWords
from keras_seq.embeddings.question_file import read_questions
from keras_seq.embeddings.word_vectors import WordVectors, combine

__all__ = ["AnalogyScore", "AnalogySection", "score_analogies"]

_BLOCK_BYTES = 1 << 25  # of the scores of one block of questions


@dataclass(frozen=True)
class AnalogySection:
    """One section's answers.

    Attributes:
        name: The section.
        correct: Questions answered right.
        asked: Questions all of whose words have a vector.
        total: Questions.
    """

    name: str
    correct: int
    asked: int
    total: int

    @property
    def accuracy(self) -> float:
        """`correct / asked`; NaN where none was asked."""
        return self.correct / self.asked if self.asked else math.nan

    @property
    def coverage(self) -> float:
        """`asked / total`."""
        return self.asked / self.total

    def __str__(self) -> str:
        share = f"{self.accuracy:7.2%}" if self.asked else "      –"
        return (
            f"{self.name:<28} {share} right, {self.correct:5d} of {self.asked:5d} asked ({self.total:5d} in the file)"
        )


@dataclass(frozen=True)
class AnalogyScore:
    """The answers to a file of analogies; prints as a table.

    A share of right answers says little without its coverage: questions with a word that has no vector are not asked.

    Attributes:
        sections: Each section's.
        semantic: The sections together whose name does not begin with `gram`; None where there is none.
        syntactic: The others, as `questions-words.txt` names them; None where there is none.
        all: All together.
    """

    sections: tuple[AnalogySection, ...]

    @property
    def semantic(self) -> AnalogySection | None:  # noqa: D102
        return _together("semantic", [one for one in self.sections if not one.name.startswith("gram")])

    @property
    def syntactic(self) -> AnalogySection | None:  # noqa: D102
        return _together("syntactic", [one for one in self.sections if one.name.startswith("gram")])

    @property
    def all(self) -> AnalogySection:  # noqa: D102
        return _together("all", self.sections)

    def __str__(self) -> str:
        together = [one for one in (self.semantic, self.syntactic) if one is not None]
        return "\n".join(map(str, [*self.sections, *(together if len(together) > 1 else []), self.all]))


def score_analogies(
    vectors: WordVectors,
    path: str | os.PathLike,
    *,
    method: str = "add",
    among: int | None = 300_000,
    ignore_case: bool = True,
) -> AnalogyScore:
    """Answers a file of analogies: the word closest to b - a + c, itself none of the three, has to be d.

    The file is that of Mikolov et al. 2013 (https://arxiv.org/abs/1301.3781), `questions-words.txt`, or one like it.

    Args:
        vectors: The vectors.
        path: The file: `: name` opens a section, a line of four words `a b c d` is a question.
        method: `"add"` or `"mul"`, see `WordVectors.most_similar`.
        among: Only so many words from the first on are known and are answers; all where None.
        ignore_case: Whether `Athens` in the file is `athens` in the vectors.

    Returns:
        Right answers and coverage, by section.

    Raises:
        ValueError: If the file is none of analogies; the message names the line.
        OSError: If the file cannot be read.
    """
    sections = read_questions(path)
    unit = vectors.unit[:among]
    folded = FoldedWords(vectors.words[: len(unit)], ignore_case)
    scores = []
    for name, questions in sections.items():
        rows = [[folded.row(word) for word in question] for question in questions]
        known = np.array([row for row in rows if None not in row], dtype=np.int64).reshape(-1, 4)
        correct = _count_correct(unit, known, folded, method)
        scores.append(AnalogySection(name, correct, len(known), len(questions)))
    return AnalogyScore(tuple(scores))


def _count_correct(unit: np.ndarray, questions: np.ndarray, folded: FoldedWords, method: str) -> int:
    correct = 0
    block = max(1, _BLOCK_BYTES // (4 * len(unit)))
    for start in range(0, len(questions), block):
        a, b, c, d = questions[start : start + block].T
        scores = combine(unit, unit[[b, c]], unit[[a]], method)
        for column, asked in enumerate(zip(a, b, c, strict=True)):
            scores[[row for word in asked for row in folded.same(word)], column] = -np.inf
        answers = scores.argmax(axis=0)
        correct += sum(answer in folded.same(expected) for answer, expected in zip(answers, d, strict=True))
    return correct


def _together(name: str, sections: Sequence[AnalogySection]) -> AnalogySection | None:
    if not sections:
        return None
    sums = (sum(getattr(one, field) for one in sections) for field in ("correct", "asked", "total"))
    return AnalogySection(name, *sums)
