"""What the demo prints: tables, and text in the colours of its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tagging.scores import GroupScore, LabelScore
from tagging.sentence import Sentence

if TYPE_CHECKING:  # it needs Keras, which the serving side must not load
    from tagging.experiment import Outcome

STYLES = {
    "python": {
        "keyword": "bold magenta",
        "builtin": "cyan",
        "self": "italic bright_magenta",
        "function": "bold bright_blue",
        "class": "bold bright_yellow",
        "decorator": "yellow",
        "module": "bright_green",
        "method": "blue",
        "call": "bright_blue",
        "attribute": "bright_cyan",
        "parameter": "italic bright_yellow",
        "variable": "default",
        "string": "green",
        "docstring": "dim green",
        "number": "bright_red",
        "operator": "dim",
        "comment": "dim italic",
    },
    "conllu": {
        "NOUN": "bright_yellow",
        "PROPN": "bold yellow",
        "PRON": "yellow",
        "NUM": "bright_red",
        "VERB": "bright_blue",
        "AUX": "blue",
        "ADJ": "bright_green",
        "ADV": "green",
        "DET": "magenta",
        "ADP": "cyan",
        "PART": "bright_cyan",
        "CCONJ": "bright_magenta",
        "SCONJ": "bold magenta",
        "INTJ": "bold green",
        "SYM": "bold red",
        "X": "bold",
        "PUNCT": "dim",
    },
}
WRONG = "underline bold red"


def heading(console: Console, title: str) -> None:
    """Opens a step of the demo."""
    console.print()
    console.rule(f"[bold]{title}", align="left")


def print_groups(console: Console, groups: Sequence[GroupScore]) -> None:
    """Prints the accuracies of model and baseline, one line a group of words."""
    table = Table("held-out words", title="Accuracy", title_justify="left")
    for heading in ("words", "most frequent label", "this tagger"):
        table.add_column(heading, justify="right")
    for group in groups:
        table.add_row(group.name, f"{group.count:,}", f"{group.baseline:.4f}", f"{group.model:.4f}")
    console.print(table)


def print_labels(console: Console, scores: Sequence[LabelScore]) -> None:
    """Prints precision, recall and F1, one line a label."""
    table = Table("label", title="By label", title_justify="left")
    for heading in ("words", "precision", "recall", "F1"):
        table.add_column(heading, justify="right")
    for score in scores:
        table.add_row(
            score.label, f"{score.count:,}", f"{score.precision:.3f}", f"{score.recall:.3f}", f"{score.f1:.3f}"
        )
    console.print(table)


def print_latencies(
    console: Console, headings: Sequence[str], latencies: Sequence[tuple[str, Sequence[float], float]]
) -> None:
    """Prints milliseconds a call, each with its ratio to the first line's.

    Args:
        console: Where to print.
        headings: What each column's calls were given.
        latencies: For each way to run the model its name, one median for each heading in milliseconds, and its
            largest difference to Keras.
    """
    table = Table("milliseconds a call, median", title="Latency", title_justify="left")
    for heading in (*headings, "difference"):
        table.add_column(heading, justify="right")
    first = latencies[0][1]
    for name, times, difference in latencies:
        cells = (f"{time:.2f} ({time / base:.1f}x)" for time, base in zip(times, first, strict=True))
        table.add_row(name, *cells, f"{difference:.0e}")
    console.print(table)


def print_models(console: Console, outcomes: Sequence[Outcome], times: Mapping[str, Mapping[str, float]]) -> None:
    """Prints what became of each model, one column each.

    Args:
        console: Where to print.
        outcomes: What became of the models.
        times: By what a call of the bundle is given, then by the name of the model, milliseconds.
    """
    table = Table("", title="Models", title_justify="left")
    for outcome in outcomes:
        table.add_column(outcome.model, justify="right")
    for groups in zip(*(outcome.groups for outcome in outcomes), strict=True):
        table.add_row(f"accuracy, {groups[0].name}", *(f"{group.model:.4f}" for group in groups))
    table.add_row("parameters", *(f"{outcome.parameters:,}" for outcome in outcomes))
    table.add_row("training", *(f"{outcome.seconds:,.0f} s" for outcome in outcomes))
    for name, every in times.items():
        table.add_row(f"bundle, {name}", *(f"{every[outcome.model]:.2f} ms" for outcome in outcomes))
    console.print(table)


def print_legend(console: Console, task: str) -> None:
    """Prints each label in its own colour."""
    console.print(Text("  ").join(Text(label, style) for label, style in STYLES[task].items()), soft_wrap=False)


def colour_source(source: str, sentences: Sequence[Sentence], predicted: Sequence[Sequence[str]]) -> Text:
    """Colours a program by the labels of its tokens.

    Args:
        source: The program.
        sentences: Its logical lines, with positions. Where they have labels, a wrong prediction is underlined.
        predicted: The labels to show.

    Returns:
        The coloured source, the same text otherwise.
    """
    starts = [0]
    for line in source.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    text = Text(source)
    for sentence, row in zip(sentences, predicted, strict=True):
        for index, (word, (line, column), label) in enumerate(
            zip(sentence.words, sentence.positions, row, strict=True)
        ):
            start = starts[line] + column
            text.stylize(STYLES["python"].get(label, ""), start, start + len(word))
            if sentence.labels and sentence.labels[index] != label:
                text.stylize(WRONG, start, start + len(word))
    return text


def colour_words(sentence: Sentence, predicted: Sequence[str]) -> Text:
    """Writes a sentence word by word with its labels, in their colours; a wrong one is followed by the right one.

    Args:
        sentence: The sentence, with or without right labels.
        predicted: The labels to show.

    Returns:
        One line of text.
    """
    text = Text()
    for index, (word, label) in enumerate(zip(sentence.words, predicted, strict=True)):
        text.append(word, STYLES["conllu"].get(label, "")).append(f"/{label}", "dim")
        if sentence.labels and sentence.labels[index] != label:
            text.append(f" not {sentence.labels[index]}", WRONG)
        text.append("  ")
    return text
