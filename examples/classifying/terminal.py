"""What the demo prints."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # it needs Keras, which the serving side must not load
    from classifying.experiment import Amount


def print_amounts(console: Console, amounts: Sequence[Amount], most_frequent: float) -> None:
    """Prints accuracies by amount of labelled text.

    Args:
        console: Where to print.
        amounts: One line each.
        most_frequent: What guessing the most frequent label gives.
    """
    title = f"Accuracy on held-out texts; the most frequent label: {most_frequent:.4f}"
    table = Table("texts with a label", title=title, title_justify="left")
    for heading in (
        "naive Bayes",
        "naive Bayes, pairs too",
        "GRU, vectors from random",
        "GRU, vectors learnt beforehand",
    ):
        table.add_column(heading, justify="right")
    for amount in amounts:
        table.add_row(
            f"{amount.texts:,}",
            f"{amount.naive_bayes:.4f}",
            f"{amount.naive_bayes_pairs:.4f}",
            _several(amount.without),
            _several(amount.pretrained),
        )
    console.print(table)


def print_answers(console: Console, texts: Sequence[str], labels: Sequence[str], shares: Sequence[float]) -> None:
    """Prints texts with the label that was found, and how sure the model is."""
    table = Table("text", "label", title="Texts", title_justify="left")
    table.add_column("probability", justify="right")
    for text, label, share in zip(texts, labels, shares, strict=True):
        table.add_row(Text(text), label, f"{share:.3f}")  # as it is: brackets are no markup
    console.print(table)


def print_confusions(console: Console, counts: Mapping[tuple[str, str], int]) -> None:
    """Prints how often each label was taken for each other.

    Args:
        console: Where to print.
        counts: By right label and label found, how many texts.
    """
    labels = sorted({right for right, _ in counts})
    table = Table("right label", title="What was taken for what", title_justify="left")
    for label in labels:
        table.add_column(label, justify="right")
    for right in labels:
        table.add_row(right, *(f"{counts.get((right, found), 0):,}" for found in labels))
    console.print(table)


def _several(accuracies: Sequence[float]) -> str:
    if len(accuracies) == 1:
        return f"{accuracies[0]:.4f}"
    return f"{statistics.mean(accuracies):.4f} ± {statistics.stdev(accuracies):.4f}"
