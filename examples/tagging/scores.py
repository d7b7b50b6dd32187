"""How good the labels are: by label, on the words that need context, and against a tagger that has none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tagging.sentence import Sentence

GROUPS = ("never met in training", "met with one label", "met with several labels")
Labels = Sequence[Sequence[str]]


@dataclass(frozen=True)
class LabelScore:
    """Precision, recall and their harmonic mean for one label, each from 0 to 1, and how often it is the right one."""

    label: str
    precision: float
    recall: float
    f1: float
    count: int


@dataclass(frozen=True)
class GroupScore:
    """The accuracy of the model and of the baseline, from 0 to 1, on one group of words."""

    name: str
    count: int
    baseline: float
    model: float


class MostFrequentLabel:
    """The baseline: each word's most frequent label in training, whatever stands around it.

    A word never met gets the label most frequent among the words met once that begin with the same character.

    Args:
        sentences: The training sentences.

    Example:
        >>> baseline = MostFrequentLabel([Sentence(("the", "run", "run", "run"), ("DET", "NOUN", "VERB", "VERB"))])
        >>> baseline.label("run"), baseline.label("tree")
        ('VERB', 'DET')
    """

    def __init__(self, sentences: Sequence[Sentence]):
        self.counts: dict[str, Counter] = defaultdict(Counter)
        for sentence in sentences:
            for word, label in zip(sentence.words, sentence.labels, strict=True):
                self.counts[word][label] += 1
        self.rare: dict[str, Counter] = defaultdict(Counter)
        for word, labels in self.counts.items():
            if labels.total() == 1:
                self.rare[word[0]].update(labels)
                self.rare[""].update(labels)
        if not self.rare:
            self.rare[""] = sum(self.counts.values(), Counter())

    def label(self, word: str) -> str:
        """Labels one word."""
        labels = self.counts.get(word) or self.rare.get(word[0]) or self.rare[""]
        return labels.most_common(1)[0][0]

    def group(self, word: str) -> str:
        """Says what training knew of a word; the answer is one of `GROUPS`."""
        return GROUPS[min(len(self.counts.get(word, ())), 2)]


def score_labels(gold: Labels, predicted: Labels) -> list[LabelScore]:
    """Scores each label that occurs, the most frequent first.

    Args:
        gold: The right labels, one row a sentence.
        predicted: The model's, likewise.

    Returns:
        One score a label.

    Example:
        >>> score_labels([["A", "A", "B"]], [["A", "B", "B"]])[1]
        LabelScore(label='B', precision=0.5, recall=1.0, f1=0.6666666666666666, count=1)
    """
    pairs = Counter(
        pair for right, given in zip(gold, predicted, strict=True) for pair in zip(right, given, strict=True)
    )
    right_counts, given_counts = Counter(), Counter()
    for (right, given), count in pairs.items():
        right_counts[right] += count
        given_counts[given] += count
    scores = []
    for label in right_counts | given_counts:
        hits = pairs[label, label]
        precision = hits / given_counts[label] if given_counts[label] else 0.0
        recall = hits / right_counts[label] if right_counts[label] else 0.0
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        scores.append(LabelScore(label, precision, recall, f1, right_counts[label]))
    return sorted(scores, key=lambda score: (-score.count, score.label))


def score_groups(baseline: MostFrequentLabel, sentences: Sequence[Sentence], predicted: Labels) -> list[GroupScore]:
    """Compares model and baseline on all words, and apart by what training knew of them.

    Args:
        baseline: The baseline, which has counted the training words.
        sentences: Labelled sentences.
        predicted: The model's labels, one row a sentence.

    Returns:
        A score for `all words`, then one for each of `GROUPS` that occurs. Words met with one label say little about
        a model: those met with several need context, and those never met need spelling too.
    """
    totals, model_hits, baseline_hits = Counter(), Counter(), Counter()
    for sentence, row in zip(sentences, predicted, strict=True):
        for word, right, given in zip(sentence.words, sentence.labels, row, strict=True):
            for group in ("all words", baseline.group(word)):
                totals[group] += 1
                model_hits[group] += right == given
                baseline_hits[group] += right == baseline.label(word)
    return [
        GroupScore(name, totals[name], baseline_hits[name] / totals[name], model_hits[name] / totals[name])
        for name in ("all words", *GROUPS)
        if totals[name]
    ]
