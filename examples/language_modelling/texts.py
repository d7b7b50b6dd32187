"""Finds the texts to learn from: two files of a folder, or Python's own documentation."""

from __future__ import annotations

import pydoc_data.topics
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from tagging.sentence import CorpusError

PADDING_ID, START_ID, END_ID, UNKNOWN_ID = range(4)  # of every tokenizer
HELD_OUT_SHARE = 11  # one topic of the documentation in so many is held out


@dataclass(frozen=True)
class Part:
    """Texts, and how long they were with all that stood between them.

    Args:
        texts: The texts.
        characters: How many characters the file has.
    """

    texts: list[str]
    characters: int


@dataclass(frozen=True)
class TextCorpus:
    """What to learn from and what to be judged by.

    Args:
        description: What was read, for people.
        train: The texts to learn from.
        dev: The texts that are held out.
        spaced: Whether blanks already stand between all words and marks, as in WikiText.
    """

    description: str
    train: Part
    dev: Part
    spaced: bool = False


def load_texts(data: Path | None, level: str, name: str | None = None) -> TextCorpus:
    """Reads texts. By character a text is what stands between blank lines; by word each line of a file is one.

    Args:
        data: A folder with files `NAME-train*.txt` and `NAME-dev.txt`; None for Python's documentation.
        level: `"char"` or `"word"`.
        name: Which of the folder's texts to take. By default, by character the shortest, by word the longest.

    Returns:
        The texts.

    Raises:
        CorpusError: If there is nothing to read, or what is there cannot be read.
    """
    if data is None:
        return _documentation(level)
    train, dev = _choose(data, level, name)
    parts = []
    for path in (train, dev):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CorpusError(f"{path}: cannot be read: {error}") from error
        texts = split_lines(text) if level == "word" else split_blocks(text)
        if not texts:
            raise CorpusError(f"{path}: expected text. Found none.")
        parts.append(Part(texts, len(text)))
    return TextCorpus(f"{train.name}, judged by {dev.name}", *parts, spaced=_is_spaced(parts[0].texts))


def split_blocks(text: str) -> list[str]:
    r"""Cuts a text at its blank lines.

    Example:
        >>> split_blocks("First Citizen:\nSpeak.\n\n\nAll:\nSpeak, speak.\n")
        ['First Citizen:\nSpeak.', 'All:\nSpeak, speak.']
    """
    return [block.strip("\n") for block in re.split(r"\n[^\S\n]*\n", text) if block.strip()]


def split_lines(text: str) -> list[str]:
    """Cuts a text into its lines, empty ones left out."""
    return [line.strip() for line in text.split("\n") if line.strip()]


def _is_spaced(texts: list[str]) -> bool:
    """Whether a full stop, too, has a blank before it, nearly always."""
    glued, spaced = (sum(len(re.findall(mark, text)) for text in texts[:500]) for mark in (r"\w[.,] ", r" [.,] "))
    return spaced > 9 * glued


def _choose(folder: Path, level: str, name: str | None) -> tuple[Path, Path]:
    if not folder.is_dir():
        raise CorpusError(f"--data must be a folder with texts. Received: {folder}, which is no folder.")
    pairs = {}
    for dev in sorted(folder.glob("*-dev.txt")):
        stem = dev.name.removesuffix("-dev.txt")
        trains = sorted(folder.glob(f"{stem}-train*.txt"))
        if len(trains) == 1:
            pairs[stem] = trains[0], dev
    if not pairs or (name is not None and name not in pairs):
        wanted = "NAME" if name is None else name
        found = ", ".join(path.name for path in sorted(folder.glob("*.txt"))) or "none"
        raise CorpusError(f"{folder}: expected {wanted}-train*.txt, one file, and {wanted}-dev.txt. Found: {found}.")
    order = sorted(pairs, key=lambda stem: pairs[stem][0].stat().st_size)
    return pairs[name or order[0 if level == "char" else -1]]


def _documentation(level: str) -> TextCorpus:
    held_out, train = [], []
    for name, text in pydoc_data.topics.topics.items():
        # By a checksum of the name: the same topics on every machine, whatever else the version adds.
        (held_out if zlib.crc32(name.encode()) % HELD_OUT_SHARE == 0 else train).append(text)
    parts = []
    for topics in (train, held_out):
        blocks = [block for text in topics for block in split_blocks(text)]
        if level == "word":
            blocks = [" ".join(block.split()) for block in blocks]
        parts.append(Part(blocks, sum(map(len, topics))))
    description = f"{len(train)} topics of Python's documentation, judged by {len(held_out)} others"
    return TextCorpus(description, *parts)
