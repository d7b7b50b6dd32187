"""The tables that the demo prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from translation.corpus import Judged
from translation.judge import BUCKETS, bucket_members, bucket_name, score

if TYPE_CHECKING:  # it needs Keras, which the serving side must not load
    from translation.experiment import Outcome


def print_searches(console: Console, dev: Sequence[Judged], translations: Mapping[str, Sequence[str]]) -> None:
    """Prints what each way to search reaches.

    Args:
        console: Where to print.
        dev: The sentences with their references.
        translations: By the name of the search, one translation for each sentence.
    """
    table = Table("search", title=f"{len(dev):,} held-out sentences", title_justify="left")
    for heading in ("BLEU", "exact", "length of translations"):
        table.add_column(heading, justify="right")
    signature = ""
    for name, texts in translations.items():
        result = score(dev, texts)
        signature = result.signature
        table.add_row(name, f"{result.bleu:.2f}", f"{result.exact:.4f}", f"{result.length:.3f} of the references'")
    console.print(table)
    console.print(f"sacrebleu {signature}", soft_wrap=True)


def print_lengths(console: Console, dev: Sequence[Judged], translations: Mapping[str, Sequence[str]]) -> None:
    """Prints BLEU by the length of the source, one column for each model or search."""
    table = Table("words of the source", title="BLEU by length", title_justify="left")
    for heading in ("sentences", *translations):
        table.add_column(heading, justify="right")
    for bucket in BUCKETS:
        members = bucket_members(dev, bucket)
        if members:
            chosen = [dev[index] for index in members]
            cells = (
                f"{score(chosen, [texts[index] for index in members]).bleu:.2f}" for texts in translations.values()
            )
            table.add_row(bucket_name(bucket), f"{len(members):,}", *cells)
    console.print(table)


def print_models(
    console: Console, dev: Sequence[Judged], outcomes: Sequence[Outcome], rates: Mapping[str, float]
) -> None:
    """Prints what became of each model, one column each.

    Args:
        console: Where to print.
        dev: The sentences with their references.
        outcomes: What became of the models.
        rates: By the name of the model, the tokens a second of its bundle.
    """
    table = Table("", title="Models", title_justify="left")
    for outcome in outcomes:
        table.add_column(outcome.model, justify="right")
    for search in outcomes[0].translations:
        results = [score(dev, outcome.translations[search]) for outcome in outcomes]
        table.add_row(f"BLEU, {search}", *(f"{result.bleu:.2f}" for result in results))
        table.add_row(f"exact, {search}", *(f"{result.exact:.4f}" for result in results))
    table.add_row("parameters", *(f"{outcome.parameters:,}" for outcome in outcomes))
    table.add_row("training", *(f"{outcome.seconds:,.0f} s" for outcome in outcomes))
    table.add_row("epochs", *(f"{outcome.epochs:.1f}" for outcome in outcomes))
    table.add_row("bundle, tokens a second", *(f"{rates[outcome.model]:,.0f}" for outcome in outcomes))
    console.print(table)


def print_translations(console: Console, rows: Sequence[tuple[str, str, Sequence[str]]]) -> None:
    """Prints sentences with their translations, and the references that there are for them.

    Args:
        console: Where to print.
        rows: Sentence, translation and references.
    """
    table = Table("sentence", "translation", "people's", title="Translations", title_justify="left")
    for source, translation, references in rows:
        people = "the same" if translation in references else "\n".join(references)
        table.add_row(escape(source), escape(translation), escape(people))
    console.print(table)
