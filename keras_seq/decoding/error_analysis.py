"""Whose fault wrong outputs are: that of the search, or that of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from keras_seq.decoding.length_term import LENGTH_TERMS

__all__ = ["ErrorAnalysis", "ErrorRow", "analyse_errors"]

VERDICTS = ("correct", "search", "model", "tie", "out of reach")
MEANINGS = {
    "correct": "",
    "search": "the search missed a better output: widen the beam",
    "model": "the model prefers its own output: more data, regularisation, another model",
    "tie": "both are equally good to the model: its fault, unless the search is to break ties",
    "out of reach": "no search can give the reference: mend the vocabulary or the limits",
}
COMPARED = ("score", "log_prob")


@dataclass(frozen=True)
class ErrorRow:
    """One source with its reference y* and its hypothesis ŷ.

    Attributes:
        index: The position of the source in what was given.
        verdict: `correct`, `search`, `model`, `tie` or `out of reach`.
        reference_log_prob: log P(y*|x).
        hypothesis_log_prob: log P(ŷ|x).
        reference_score: What the search would have ranked y* by.
        hypothesis_score: What it ranked ŷ by.
        source: The source as text, empty where no texts were given.
        reference: The reference, likewise.
        hypothesis: The hypothesis, likewise.
    """

    index: int
    verdict: str
    reference_log_prob: float
    hypothesis_log_prob: float
    reference_score: float
    hypothesis_score: float
    source: str = ""
    reference: str = ""
    hypothesis: str = ""


@dataclass(frozen=True)
class ErrorAnalysis:
    """What `analyse_errors` found, one row a source; prints as a table with counts and examples.

    Attributes:
        rows: The rows, in the order given.
        compared: What was compared, `"score"` or `"log_prob"`.
        alpha: The exponent of the length term in the scores.
        length_term: Its kind, `"power"` or `"gnmt"`.
        num_examples: How many rows of each verdict are printed.
    """

    rows: tuple[ErrorRow, ...]
    compared: str
    alpha: float
    length_term: str
    num_examples: int = 3

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each verdict."""
        verdicts = [row.verdict for row in self.rows]
        return {verdict: verdicts.count(verdict) for verdict in VERDICTS}

    @property
    def fractions(self) -> dict[str, float]:
        """The share of each fault among the outputs that are wrong; 0 where none is."""
        counts = self.counts
        wrong = max(len(self.rows) - counts.pop("correct"), 1)
        return {verdict: count / wrong for verdict, count in counts.items()}

    def examples(self, verdict: str) -> tuple[ErrorRow, ...]:
        """The rows of a verdict, those first where reference and hypothesis are furthest apart.

        Raises:
            ValueError: If there is no such verdict.
        """
        if verdict not in VERDICTS:
            raise ValueError(f"`verdict` must be one of {', '.join(VERDICTS)}. Received: verdict={verdict!r}.")
        return tuple(sorted((row for row in self.rows if row.verdict == verdict), key=lambda row: -abs(self._gap(row))))

    def to_dict(self) -> dict:
        """The same for programs."""
        return asdict(self) | {"counts": self.counts, "fractions": self.fractions}

    def __str__(self) -> str:
        counts, fractions = self.counts, self.fractions
        lines = [f"{counts['correct']} of {len(self.rows)} outputs right. Compared by {self._quantity()}."]
        table = [("fault", "outputs", "of the wrong", "")]
        table += [
            (name, str(counts[name]), f"{fractions[name]:.1%}", MEANINGS[name])
            for name in VERDICTS[1:]
            if counts[name] or name in ("search", "model")
        ]
        lines += _table(table, right={1, 2})
        if counts["tie"]:
            lines.append(
                "With ties laid on the search, as P(y*|x) >= P(ŷ|x) has it, its share is "
                f"{fractions['search'] + fractions['tie']:.1%}."
            )
        for verdict in VERDICTS[1:]:
            lines += self._print_examples(verdict)
        return "\n".join(lines)

    def _print_examples(self, verdict: str) -> list[str]:
        lines = []
        for row in self.examples(verdict)[: self.num_examples]:
            lines += ["", f"{verdict}, {row.index}:" + (f" {row.source}" if row.source else "")]
            cells = [
                ("  y*", *self._values("reference", row), row.reference),
                ("  ŷ", *self._values("hypothesis", row), row.hypothesis),
            ]
            lines += _table(cells, right={1, 2})
        return lines

    def _values(self, name: str, row: ErrorRow) -> tuple[str, ...]:
        log_prob, score = (getattr(row, f"{name}_{quantity}") for quantity in ("log_prob", "score"))
        return (f"log P {log_prob:.3f}",) + ((f"score {score:.3f}",) if self.alpha else ())

    def _gap(self, row: ErrorRow) -> float:
        return getattr(row, f"reference_{self.compared}") - getattr(row, f"hypothesis_{self.compared}")

    def _quantity(self) -> str:
        if not self.alpha:
            return "log P(y|x), which the search maximises"
        if self.compared == "log_prob":
            return "log P(y|x), although the search maximises it divided by a length term"
        lengths = "T" if self.length_term == "power" else "((5 + T) / 6)"
        return f"log P(y|x) / {lengths}^{self.alpha:g}, which the search maximises"


def analyse_errors(
    log_prob_references: Sequence[float],
    log_prob_hypotheses: Sequence[float],
    *,
    correct: Sequence[bool],
    reference_lengths: Sequence[int] | None = None,
    hypothesis_lengths: Sequence[int] | None = None,
    alpha: float = 0.0,
    length_term: str = "power",
    compare: str = "score",
    reachable: Sequence[bool] | None = None,
    sources: Sequence[str] | None = None,
    references: Sequence[str] | None = None,
    hypotheses: Sequence[str] | None = None,
    tolerance: float = 1e-4,
    num_examples: int = 3,
) -> ErrorAnalysis:
    """Puts each wrong output of a beam search on the search or on the model.

    Beam search looks for the output that the model scores highest, and may miss it. So for an output ŷ that is wrong,
    ask the model for its score of the right one, y*:

        score(y*|x) > score(ŷ|x):  the search missed y*, although the model prefers it. The search is at fault.
        score(y*|x) < score(ŷ|x):  the search was right to give ŷ. The model is at fault.

    What is compared has to be what the search maximises. With length normalisation that is log P / T^alpha, not P: by
    P alone a long reference would be put on the model although the search was looking for something else. Give `alpha`
    and the lengths then; `compare="log_prob"` shows what P alone would say.

    A model's fault does not clear the search: a wider beam can find an output that the model likes still better.

    Args:
        log_prob_references: log P(y*|x) of each reference, `(sources,)`, as of `Seq2Seq.score`. Where a source has
            several references, that of the one that the model scores highest.
        log_prob_hypotheses: log P(ŷ|x) of each output, `(sources,)`: `log_probs[:, 0]` of the search.
        correct: Whether each output counts as right.
        reference_lengths: The tokens of each reference with the end token; needed with `alpha`.
        hypothesis_lengths: The tokens of each output with the end token, likewise.
        alpha: The exponent of the search's length term; 0 where it has none.
        length_term: The kind of it, `"power"` or `"gnmt"`, as in `BeamSearch`.
        compare: `"score"`, what the search maximises, or `"log_prob"`, the probability alone.
        reachable: Whether the search could give each reference at all. It cannot where a word of it is unknown to the
            vocabulary, or where it is longer than the limit; neither search nor model is then judged by it. All can
            where `None`.
        sources: The sources as texts, for the examples.
        references: The references, likewise.
        hypotheses: The outputs, likewise.
        tolerance: Scores no further apart than this, which is more than arithmetic in float32 makes of equal ones, are
            a tie.
        num_examples: How many examples of each fault to print.

    Returns:
        The analysis, with one row a source.

    Raises:
        ValueError: If anything has another count than `log_prob_references`, there is nothing to analyse, a log
            probability is above 0 or not a number, lengths are missing, or a setting is unknown.

    Example:

    >>> print(analyse_errors([-1.2, -9.0, -0.1], [-2.5, -3.0, -0.1], correct=[False, False, True]))
    1 of 3 outputs right. Compared by log P(y|x), which the search maximises.
    fault   outputs  of the wrong
    search        1         50.0%  the search missed a better output: widen the beam
    model         1         50.0%  the model prefers its own output: more data, regularisation, another model
    <BLANKLINE>
    search, 0:
      y*  log P -1.200
      ŷ   log P -2.500
    <BLANKLINE>
    model, 1:
      y*  log P -9.000
      ŷ   log P -3.000
    """
    if compare not in COMPARED:
        raise ValueError(f'`compare` must be "score" or "log_prob". Received: compare={compare!r}.')
    if length_term not in LENGTH_TERMS:
        raise ValueError(f'`length_term` must be "power" or "gnmt". Received: length_term={length_term!r}.')
    count = len(log_prob_references)
    if count == 0:
        raise ValueError("There is nothing to analyse: `log_prob_references` is empty.")
    log_probs = {
        "log_prob_references": _log_probs("log_prob_references", log_prob_references, count),
        "log_prob_hypotheses": _log_probs("log_prob_hypotheses", log_prob_hypotheses, count),
    }
    scores = dict(log_probs)
    if alpha:
        lengths = {"log_prob_references": reference_lengths, "log_prob_hypotheses": hypothesis_lengths}
        for name, values in lengths.items():
            argument = "reference_lengths" if name == "log_prob_references" else "hypothesis_lengths"
            scores[name] = log_probs[name] / _length_terms(argument, values, count, alpha, length_term)
    compared = scores if compare == "score" else log_probs
    right = _column("correct", correct, count).astype(bool)
    within = _column("reachable", [True] * count if reachable is None else reachable, count).astype(bool)
    texts = [
        [""] * count if column is None else [str(text) for text in _counted(name, column, count)]
        for name, column in (("sources", sources), ("references", references), ("hypotheses", hypotheses))
    ]
    rows = []
    for index in range(count):
        pairs = [
            (values["log_prob_references"][index], values["log_prob_hypotheses"][index])
            for values in (log_probs, scores)
        ]
        gap = float(compared["log_prob_references"][index]) - float(compared["log_prob_hypotheses"][index])
        verdict = _verdict(right[index], within[index], gap, tolerance)
        numbers = [float(value) for pair in pairs for value in pair]
        rows.append(ErrorRow(index, verdict, *numbers, *(column[index] for column in texts)))
    return ErrorAnalysis(tuple(rows), compare, float(alpha), length_term, num_examples)


def _verdict(correct: bool, reachable: bool, gap: float, tolerance: float) -> str:
    if correct:
        return "correct"
    if not reachable:
        return "out of reach"
    if not abs(gap) > tolerance:  # so too where both are impossible, and their difference is no number
        return "tie"
    return "search" if gap > 0 else "model"


def _log_probs(name: str, values: Sequence[float], count: int) -> np.ndarray:
    column = _column(name, values, count).astype("float64")
    bad = np.flatnonzero(~(column <= 1e-6))  # a sum of float32 logarithms may end up a little above 0
    if bad.size:
        raise ValueError(
            f"`{name}` must be logarithms of probabilities, which are at most 0. Received: {column[bad[0]]} "
            f"at {bad[0]}."
        )
    return column


def _length_terms(name: str, values: Sequence[int] | None, count: int, alpha: float, kind: str) -> np.ndarray:
    if values is None:
        raise ValueError(f"With `alpha` the lengths are needed too. Received: alpha={alpha}, {name}=None.")
    lengths = _column(name, values, count).astype("float64")
    if lengths.min() < 1:
        raise ValueError(
            f"`{name}` must be at least 1, the end token counted. Received: {lengths.min():g} at {lengths.argmin()}."
        )
    return (lengths if kind == "power" else (lengths + 5) / 6) ** alpha


def _column(name: str, values: Sequence, count: int) -> np.ndarray:
    column = np.asarray(_counted(name, values, count))
    if column.ndim != 1:
        raise ValueError(f"`{name}` must have one number a source, shape ({count},). Received: shape={column.shape}.")
    return column


def _counted(name: str, values: Sequence, count: int) -> Sequence:
    if len(values) != count:
        raise ValueError(
            f"`{name}` must have as many entries as `log_prob_references`. Received: {len(values)} and {count}."
        )
    return values


def _table(rows: Sequence[Sequence[str]], right: set[int]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
