"""Finds the pairs to learn from and the sentences to be judged by."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tagging.sentence import CorpusError
from translation.pairs import Pair, read_pairs

HELD_OUT_SHARE = 16  # one source in so many is held out where there is no file for it
PHRASES = 9_000


@dataclass(frozen=True)
class Judged:
    """A sentence to be judged by, with every translation of it that is known.

    Args:
        source: The sentence.
        references: Its translations; any of them is right.
    """

    source: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class PairCorpus:
    """What is learnt from, and what is judged by: no source of the one is in the other.

    Args:
        description: What was read, for people.
        train: Pairs to learn from.
        dev: Sentences to be judged by, each once.
    """

    description: str
    train: list[Pair]
    dev: list[Judged]


def load_pairs(data: Path | None = None, limit: int | None = None, seed: int = 7) -> PairCorpus:
    """Reads tab-separated pairs, or draws phrases from the Babel package where no data are given.

    Args:
        data: A folder with a `*-train.tsv` and a `*-dev.tsv` file, or one file, of which a part is held out.
        limit: The most pairs to learn from; a sixteenth as many to be judged by. None takes everything.
        seed: The seed of the phrases drawn.

    Returns:
        The corpus. A pair to learn from whose source is among those to be judged by is left out.

    Raises:
        CorpusError: If there is nothing to read, or what is there cannot be read.
    """
    if data is None:
        from translation.phrases import draw_phrases  # only here, because Babel is needed for nothing else

        count = PHRASES if limit is None else limit
        name, (train, dev) = "phrases of CLDR, from the Babel package", _split(draw_phrases(count, seed))
    elif data.is_dir():
        paths = [_only_file(data, f"*-{part}.tsv") for part in ("train", "dev")]
        name, (train, dev) = f"{paths[0].name}, judged by {paths[1].name}", map(read_pairs, paths)
    else:
        name, (train, dev) = data.name, _split(read_pairs(data))
    if limit is not None:
        train, dev = train[:limit], dev[: max(1, limit // HELD_OUT_SHARE)]
    held_out = {source for source, _ in dev}
    learnt = [pair for pair in train if pair[0] not in held_out]
    if not learnt or not dev:
        raise CorpusError(f"{name}: too few pairs to learn from some and be judged by others. Found {len(train)}.")
    return PairCorpus(name, learnt, group(dev))


def group(pairs: Sequence[Pair]) -> list[Judged]:
    """Puts the translations of one sentence together.

    Example:
        >>> group([("Go!", "Geh!"), ("Sit.", "Sitz."), ("Go!", "Gehen Sie!")])[0]
        Judged(source='Go!', references=('Geh!', 'Gehen Sie!'))
    """
    references: dict[str, dict[str, None]] = {}
    for source, target in pairs:
        references.setdefault(source, {})[target] = None
    return [Judged(source, tuple(targets)) for source, targets in references.items()]


def _split(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Holds sources out by a checksum: the same ones on every machine, with all their translations."""
    train, dev = [], []
    for pair in pairs:
        (train if zlib.crc32(pair[0].encode()) % HELD_OUT_SHARE else dev).append(pair)
    return train, dev


def _only_file(folder: Path, pattern: str) -> Path:
    paths = sorted(folder.glob(pattern))
    if len(paths) != 1:
        names = ", ".join(path.name for path in paths) or "none"
        raise CorpusError(f"{folder}: expected one file named {pattern}. Found: {names}.")
    return paths[0]
