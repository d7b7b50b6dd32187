"""BLEU of a corpus, through sacrebleu."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sacrebleu.metrics import BLEU

from keras_seq.metrics.pairing import check_pairs

__all__ = ["BLEUScore", "bleu"]


@dataclass(frozen=True)
class BLEUScore:
    """BLEU with what it is made of; prints as one line.

    Attributes:
        score: BLEU, from 0 to 100: `brevity_penalty` times the geometric mean of `precisions`.
        precisions: The share, from 0 to 100, of the hypotheses' 1-, 2-, 3- and 4-grams that stand in a reference.
        brevity_penalty: 1, or less where the hypotheses are shorter than the references:
            `exp(1 - reference_length / hypothesis_length)`.
        hypothesis_length: Tokens of all hypotheses.
        reference_length: Tokens of all references; of several for one hypothesis the closest in length counts.
        signature: sacrebleu's, which names everything that the figure depends on. A score is comparable with another
            of the same signature.
    """

    score: float
    precisions: tuple[float, ...]
    brevity_penalty: float
    hypothesis_length: int
    reference_length: int
    signature: str

    def __str__(self) -> str:
        precisions = "/".join(f"{precision:.1f}" for precision in self.precisions)
        return (
            f"BLEU {self.score:.2f}  precisions {precisions}  brevity penalty {self.brevity_penalty:.3f} "
            f"({self.hypothesis_length} tokens for {self.reference_length})  {self.signature}"
        )


def bleu(
    hypotheses: Sequence[str],
    references: Sequence[str | Sequence[str]],
    *,
    lowercase: bool = False,
    tokenize: str | None = None,
) -> BLEUScore:
    """Scores translations against those of people: BLEU of the whole corpus (Papineni et al. 2002).

    Computed by sacrebleu (Post 2018, https://aclanthology.org/W18-6319), which does its own tokenisation: give it plain
    text, as a reader would see it, and the references untouched. n-grams are counted over all hypotheses before the
    mean is taken, so the score of a corpus is not the mean of its sentences' scores.

    Args:
        hypotheses: One text a source.
        references: For each hypothesis one text, or several: an n-gram is right if it stands in any of them. Their
            number may differ from source to source.
        lowercase: Whether to compare without regard to case.
        tokenize: sacrebleu's tokenizer, such as `"13a"` (its default), `"intl"`, `"zh"`, `"char"` or `"none"`.

    Returns:
        The score.

    Raises:
        ModuleNotFoundError: If sacrebleu is not installed; with the line that installs it.
        TypeError: If `hypotheses` or `references` is a single string, or an entry is no text.
        ValueError: If their counts differ, there are none, or a hypothesis has no reference.

    Example:

    >>> score = bleu(["the cat sat on the mat"], [["the cat sat on a mat", "a cat sat on the mat"]])
    >>> round(score.score, 1), score.brevity_penalty
    (95.5, 1.0)
    """
    check_pairs(hypotheses, references)
    several = [(entry,) if isinstance(entry, str) else tuple(entry) for entry in references]
    for index, (hypothesis, entries) in enumerate(zip(hypotheses, several, strict=True)):
        if not entries:
            raise ValueError(f"Every hypothesis needs a reference. Received none for hypothesis {index}.")
        for text in (hypothesis, *entries):
            if not isinstance(text, str):
                raise TypeError(
                    f"Hypotheses and references must be texts. Received at {index}: {text!r}. Join tokens with blanks."
                )
    # sacrebleu wants the first reference of every hypothesis, then the second, …, with None where there is none.
    streams = [
        [entries[number] if number < len(entries) else None for entries in several]
        for number in range(max(map(len, several)))
    ]
    metric = BLEU(lowercase=lowercase, tokenize=tokenize)
    result = metric.corpus_score(list(hypotheses), streams)
    return BLEUScore(
        result.score,
        tuple(result.precisions),
        result.bp,
        result.sys_len,
        result.ref_len,
        str(metric.get_signature()),
    )
