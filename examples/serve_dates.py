"""Reads dates with an exported reader, through `keras_seq.serving` alone: neither Keras nor TensorFlow is loaded.

python examples/serve_dates.py out/dates/bundle "de:Dienstag, 4. Mai 2021" "en-US:5/4/2021"
python examples/serve_dates.py out/dates/bundle --file out/dates/held_out.tsv --picture attention.png
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from date_reading.source import source_tokens
from date_reading.table import Row, read_rows
from generating.hypotheses import generate_all
from generating.vocabulary import Vocabulary
from keras_seq.serving import Generator, Hypothesis, ServingError
from tagging.sentence import CorpusError

SHOWCASE = (
    Row("en-US", "3/4/2021"),
    Row("en-GB", "03/04/2021"),
    Row("de", "Dienstag, 29. Februar 2000"),
    Row("th", "๔ มี.ค. ๒๐๒๑"),
)
"""One text with two meanings, and more that is not in the held-out file."""

BATCH = 128


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The arguments; those of the process where None.

    Returns:
        The exit code: 0 if all went well, 1 if Keras or TensorFlow was loaded, 2 for bad input.
    """
    parser = argparse.ArgumentParser(description="Read dates with an exported reader.")
    parser.add_argument("bundle", type=Path, help="the bundle that dates.py wrote")
    parser.add_argument("dates", nargs="*", metavar="LANGUAGE:TEXT", help="dates to read, such as 'de:4. Mai 2021'")
    parser.add_argument(
        "--file", type=Path, help="tab-separated: language, text, and perhaps the date meant and a group"
    )
    parser.add_argument("--picture", type=Path, help="where to draw what the reader attended to")
    parser.add_argument(
        "--rows", type=int, default=24, help="how many dates of the file to show (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    try:
        rows = [_given(text) for text in options.dates]
        rows += [] if options.file is None else read_rows(options.file)
        serve(options.bundle, rows or list(SHOWCASE), options.rows, options.picture, console)
    except (CorpusError, ServingError) as error:
        print(error, file=sys.stderr)
        return 2
    loaded = sorted({"keras", "tensorflow"} & sys.modules.keys())
    console.print(f"loaded of keras and tensorflow: {', '.join(loaded) or 'neither'}")
    return 1 if loaded else 0


def serve(bundle: Path, rows: Sequence[Row], shown: int, picture: Path | None, console: Console) -> None:
    """Loads the bundle, reads all dates, shows some and counts those that are right.

    Args:
        bundle: The bundle.
        rows: What to read.
        shown: How many to show, with those of `SHOWCASE` before them where what is right is known.
        picture: Where to draw the attention to one of them; nowhere where `None`.
        console: Where to print.
    """
    start = time.perf_counter()
    generator = Generator(bundle)
    if not {"source_tokens", "target_tokens"} <= generator.metadata.keys():
        raise CorpusError(f"{bundle}: expected a bundle that dates.py wrote, with `source_tokens` in its metadata.")
    source, target = (Vocabulary(generator.metadata[f"{name}_tokens"]) for name in ("source", "target"))
    _check_languages(rows, source)
    loaded = time.perf_counter()
    judged = [row for row in rows if row.iso]
    rows = [*SHOWCASE, *rows] if judged else list(rows)
    sources = [source.encode(source_tokens(row.language, row.text)) for row in rows]
    generated = generate_all(generator.generate, sources, BATCH)
    read = time.perf_counter()

    texts = ["".join(target.decode(hypotheses[0].ids)) for hypotheses in generated]
    examples = list(zip(rows, texts, generated, strict=True))
    step = max(1, (len(rows) - len(SHOWCASE)) // max(1, shown)) if judged else 1
    picked = [*range(len(SHOWCASE)), *range(len(SHOWCASE), len(rows), step)] if judged else range(len(rows))
    print_readings(console, [examples[index] for index in picked][: shown + len(SHOWCASE)], target)
    console.print(f"bundle loaded in {loaded - start:.2f} s, {len(rows):,} dates read in {read - loaded:.2f} s")
    if judged:
        print_scores(console, rows, texts)
    if picture is not None:
        index = _drawable(rows)
        draw(picture, *examples[index])
        console.print(f"{picture}: what the reader looked at in {rows[index].text!r}")


def print_readings(
    console: Console, examples: Sequence[tuple[Row, str, Sequence[Hypothesis]]], target: Vocabulary
) -> None:
    """Prints dates as written and as read, with the reading that came second, and the difference of their scores."""
    table = Table("language", "written", "read", "meant", title="Dates", title_justify="left")
    table.add_column("second reading")
    table.add_column("ahead of it by", justify="right")
    for row, text, hypotheses in examples:
        style = "bold red" if row.iso and row.iso != text else ""
        meant = "" if not row.iso else "the same" if row.iso == text else row.iso
        second = "".join(target.decode(hypotheses[1].ids)) if len(hypotheses) > 1 else ""
        lead = f"{hypotheses[0].score - hypotheses[1].score:.2f}" if second else ""
        table.add_row(row.language, escape(row.text), Text(text, style), meant, second, lead)
    console.print(table)


def print_scores(console: Console, rows: Sequence[Row], texts: Sequence[str]) -> None:
    """Prints how many dates of each group were read to the last digit, and which languages are hardest."""
    table = Table("held out", title="Exact match", title_justify="left")
    for name in ("dates", "right", "share"):
        table.add_column(name, justify="right")
    hits: dict[tuple[str, str], list[bool]] = {}
    for row, text in zip(rows, texts, strict=True):
        if row.iso:
            hits.setdefault((row.group, ""), []).append(row.iso == text)
            hits.setdefault((row.group, row.language), []).append(row.iso == text)
    for (group, language), right in hits.items():
        if not language:
            table.add_row(group, f"{len(right):,}", f"{sum(right):,}", f"{np.mean(right):.4f}")
    console.print(table)
    for group in dict.fromkeys(group for group, _ in hits):
        shares = {language: np.mean(right) for (own, language), right in hits.items() if own == group and language}
        hardest = sorted((language for language in shares if shares[language] < 1), key=shares.get)[:5]
        if hardest:
            listed = ", ".join(f"{language} {shares[language]:.2f}" for language in hardest)
            console.print(f"hardest among {group}: {listed}; all right in {sum(s == 1 for s in shares.values())}")


def draw(picture: Path, row: Row, text: str, hypotheses: Sequence[Hypothesis]) -> None:
    """Draws what the reader looked at while it wrote each character."""
    from date_reading.heat_map import draw_heat_map  # only here: Matplotlib is for pictures alone

    written = [*text, "end"][: len(hypotheses[0].ids)]
    tokens = source_tokens(row.language, row.text)
    draw_heat_map(picture, hypotheses[0].alignment, tokens, written, f"{row.text}  →  {text}")


def _drawable(rows: Sequence[Row]) -> int:
    """The longest of the first dates that Matplotlib's own font can draw: a long one shows the most."""
    from date_reading.heat_map import can_be_drawn

    candidates = [index for index, row in enumerate(rows[:500]) if can_be_drawn(row.text)]
    if not candidates:
        raise CorpusError("--picture needs a date in Latin letters, which Matplotlib's own font can draw. Found none.")
    return max(candidates, key=lambda index: len(rows[index].text))


def _given(text: str) -> Row:
    language, colon, written = text.partition(":")
    if not colon or not written:
        raise CorpusError(f"a date must be given as LANGUAGE:TEXT, such as 'de:4. Mai 2021'. Received: {text!r}.")
    return Row(language, written)


def _check_languages(rows: Sequence[Row], source: Vocabulary) -> None:
    known = [token[1:-1] for token in source.tokens if len(token) > 1 and token.startswith("[")]
    for row in rows:
        if row.language not in known:
            raise CorpusError(
                f"the reader knows the languages {', '.join(sorted(known))}. "
                f"Received: {row.language!r} for {row.text!r}."
            )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
