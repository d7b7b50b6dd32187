"""What the demo prints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from language_modelling.homophones import Swap
from language_modelling.judging import Fit


def print_fits(console: Console, fits: Mapping[str, Fit], tokens: int) -> None:
    """Prints how well each model predicts, one a line.

    Args:
        console: Where to print.
        fits: By the name of the model.
        tokens: How many there are.
    """
    console.print(f"{tokens:,} held-out tokens")
    table = Table("predicts")
    for heading in ("bits per character", "perplexity of a token"):
        table.add_column(heading, justify="right")
    for name, fit in fits.items():
        table.add_row(name, f"{fit.bits_per_character:.3f}", f"{fit.perplexity:,.1f}")
    console.print(table)


def print_choices(
    console: Console, swaps: Sequence[Swap], margins: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray]
) -> None:
    """Prints how often each model holds what was written for likelier than a word that sounds alike, and examples.

    Args:
        console: Where to print.
        swaps: The sentences.
        margins: By the name of the model, how much likelier it holds what was written, in nats, `(swaps,)`.
        right: By the name of the model, whether it does at all, `(swaps,)`.
    """
    console.print(
        f"{len(swaps):,} sentences with a word that another sounds like; in half of them the rarer of the two was said"
    )
    table = Table("chooses")
    table.add_column("right", justify="right")
    for name, chosen in right.items():
        table.add_row(name, f"{np.mean(chosen):.3f}")
    console.print(table)
    own = next(iter(margins))
    for index in examples(right, own):
        swap, margin = swaps[index], margins[own][index]
        console.print(
            Text.assemble(
                f"  {own} holds ",
                (swap.said, "bold"),
                f" to be {times(margin)} as likely as ",
                (swap.other, "bold"),
                f" in: {' '.join(swap.sentence.split())}",
            )
        )


def examples(right: Mapping[str, np.ndarray], own: str, most: int = 4) -> list[int]:
    """Which swaps to show: those that only the model itself has right, and one that it has wrong."""
    others = np.any([chosen for name, chosen in right.items() if name != own], axis=0)
    good, wrong = np.flatnonzero(right[own] & ~others), np.flatnonzero(~right[own])
    return [*good[: most - 1].tolist(), *wrong[:1].tolist()]


def times(nats: float) -> str:
    """How many times as likely, for people.

    Example:
        >>> times(math.log(12)), times(math.log(0.25)), times(math.log(3e9))
        ('12 times', '0.25 times', '3e+09 times')
    """
    return f"{math.exp(min(nats, 700)):.2g} times"


def print_sentences(console: Console, title: str, log_probs: Mapping[str, float]) -> None:
    """Prints the probabilities of sentences."""
    console.print(title)
    table = Table("P(sentence)")
    table.add_column("probability", justify="right")
    table.add_column("log", justify="right")
    for sentence, log_prob in log_probs.items():
        table.add_row(sentence, f"{math.exp(log_prob):.1e}", f"{log_prob:.2f}")
    console.print(table)


def print_sample(console: Console, name: str, prompt: str, text: str) -> None:
    """Prints what a model went on with, the prompt in bold."""
    console.print(Text.assemble((f"{name}: ", "cyan"), (prompt, "bold"), text))
