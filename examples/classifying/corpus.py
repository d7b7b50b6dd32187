"""Finds texts with labels, and texts without any that words are learnt from."""

from __future__ import annotations

import csv
import random
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from classifying.docstrings import read_docstrings
from tagging.sentence import CorpusError

HELD_OUT_SHARE = 8  # one text in so many is held out where there is no file for it
POLARITY = {"0": "negative", "1": "positive"}  # what the usual files of opinions mean by their digits

Labelled = tuple[str, str]

_WIKITEXT_MARK = re.compile(r" @([-,.])@ ")  # "half @-@ hearted", "1 @,@ 000"


@dataclass(frozen=True)
class Corpus:
    """What is learnt from, and what is judged by.

    Args:
        description: What was read, for people.
        train: Text and label, in an order of no meaning: the first ones are as good a sample as any.
        dev: Likewise, to be judged by.
        unlabelled: Further texts, from which words are learnt.
    """

    description: str
    train: list[Labelled]
    dev: list[Labelled]
    unlabelled: list[str]

    @property
    def labels(self) -> list[str]:
        """The labels, in alphabetical order: the ids that the model gives."""
        return sorted({label for _, label in self.train})


def load_corpus(data: Path | None, texts: Sequence[Path], seed: int) -> Corpus:
    """Reads everything.

    Args:
        data: A folder with `NAME-train.tsv` and `NAME-dev.tsv`, or such a training file. Of several in a folder the
            largest is the task, and the others are texts to learn words from. None: the docstrings of the standard
            library, by chapter.
        texts: Plain text to learn words from, one sentence or paragraph a line.
        seed: Of the order.

    Returns:
        The corpus.

    Raises:
        CorpusError: If a file cannot be read or is not as described; the message names the line.
    """
    unlabelled = [line for path in texts for line in read_lines(path)]
    if data is None:
        labelled, others = read_docstrings()
        unlabelled += others
        held_out = [zlib.crc32(text.encode()) % HELD_OUT_SHARE == 0 for text, _ in labelled]
        dev = [pair for pair, out in zip(labelled, held_out, strict=True) if out]
        train = [pair for pair, out in zip(labelled, held_out, strict=True) if not out]
        description = "first paragraphs of the standard library's docstrings"
    else:
        path, others = find_files(data)
        train, dev = read_labelled(path), read_labelled(dev_file(path))
        unlabelled += [text for other in others for text, _ in read_labelled(other)]
        description = path.name.removesuffix("-train.tsv")
    if strange := {label for _, label in dev} - {label for _, label in train}:
        raise CorpusError(f"{description}: labels in the dev texts alone: {', '.join(sorted(strange))}.")
    if len({label for _, label in train}) < 2:
        raise CorpusError(f"{description}: expected texts with at least two different labels.")
    random.Random(seed).shuffle(train)
    return Corpus(description, train, dev, unlabelled)


def find_files(data: Path) -> tuple[Path, list[Path]]:
    """Finds the training file of the task, and those beside it."""
    if data.is_file():
        return data, []
    found = sorted(data.glob("*-train.tsv"), key=lambda path: path.stat().st_size, reverse=True)
    if not found:
        raise CorpusError(f"{data}: expected a folder with a file *-train.tsv, or such a file. Found none.")
    return found[0], found[1:]


def dev_file(path: Path) -> Path:
    """The file that goes with a training file."""
    dev = path.with_name(path.name.replace("-train.", "-dev."))
    if dev == path or not dev.is_file():
        raise CorpusError(f"{path}: expected NAME-train.tsv and NAME-dev.tsv beside it, to judge by. Found none.")
    return dev


def read_labelled(path: Path) -> list[Labelled]:
    """Reads tab-separated lines whose first names the columns, `label` and `text` among them; quotes mean nothing.

    Labels 0 and 1 are called negative and positive.

    Raises:
        CorpusError: If the file cannot be read, or a line lacks one of the two.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="\n") as lines:
            rows = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path}: cannot be read: {error}") from error
    header = rows[0] if rows else []
    if not {"label", "text"} <= set(header):
        raise CorpusError(f"{path}, line 1: expected columns `label` and `text`. Found: {', '.join(header)[:60]!r}.")
    label, text = header.index("label"), header.index("text")
    pairs = []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header) or not row[label].strip() or not row[text].strip():
            raise CorpusError(
                f"{path}, line {number}: expected {len(header)} cells with a label and a text. Found: {row}."
            )
        pairs.append((row[text], row[label]))
    if {label for _, label in pairs} == POLARITY.keys():
        pairs = [(text, POLARITY[label]) for text, label in pairs]
    return pairs


def read_lines(path: Path) -> Iterator[str]:
    """Yields the lines of a plain text; without WikiText's marks for rare words and for hyphens within a word."""
    try:
        with open(path, encoding="utf-8", newline="\n") as lines:
            for line in lines:
                if line := _WIKITEXT_MARK.sub(r"\1", line.replace("<unk>", " ")).strip():
                    yield line
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot be read: {error}") from error
