"""Finds the sentences to learn from: a folder of CoNLL-U files, or the standard library's own source."""

from __future__ import annotations

import sysconfig
import zlib
from dataclasses import dataclass
from pathlib import Path

from tagging.conllu import read_conllu
from tagging.python_source import label_python, read_python, read_source, split_python
from tagging.sentence import CorpusError, Sentence

HELD_OUT_SHARE = 8  # one module in so many is held out


@dataclass(frozen=True)
class Corpus:
    """Sentences to learn from and sentences to be judged by.

    Args:
        task: `python` or `conllu`.
        description: What was read, for people.
        train: The sentences to learn from.
        held_out: The sentences to be judged by.
        sample: A file of the held-out part, for showing what was learnt.
        sample_row: The row of it to start at, from 1.
    """

    task: str
    description: str
    train: list[Sentence]
    held_out: list[Sentence]
    sample: Path
    sample_row: int = 1


def load_corpus(data: Path | None = None, limit: int | None = None) -> Corpus:
    """Reads the CoNLL-U files of a folder, or the standard library where no folder is given.

    Args:
        data: A folder with a `*-train.conllu` and a `*-dev.conllu` file.
        limit: The most words to read for training; for judging a quarter of it. None reads everything.

    Returns:
        The corpus.

    Raises:
        CorpusError: If there is nothing to read, or what is there cannot be read.
    """
    return _standard_library(limit) if data is None else _conllu_folder(data, limit)


def read_words(path: Path, task: str) -> list[Sentence]:
    """Reads a file whose words are told apart already: with labels where it has them.

    Args:
        path: A CoNLL-U file, or a program.
        task: `python` or `conllu`, as in `Corpus`.

    Returns:
        The sentences. Python source that does not parse has no labels.

    Raises:
        CorpusError: If the file cannot be read or cut into words.
    """
    try:
        if task == "conllu":
            return read_conllu(path)
        source = read_source(path)
        try:
            return label_python(source, str(path))
        except CorpusError:  # no whole program; its tokens may be fine all the same
            return split_python(source, str(path))
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error}") from error


def read_lines(path: Path) -> list[str]:
    """Reads a text, a sentence a line.

    Args:
        path: The file, UTF-8.

    Raises:
        CorpusError: If the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot be read: {error}") from error


def _conllu_folder(folder: Path, limit: int | None) -> Corpus:
    if not folder.is_dir():
        raise CorpusError(f"--data must be a folder with CoNLL-U files. Received: {folder}, which is no folder.")
    train, dev = (_only_file(folder, f"*-{part}.conllu") for part in ("train", "dev"))
    sentences = []
    for path, words in ((train, limit), (dev, _quarter(limit))):
        sentences.append(_first_words(read_conllu(path), words))
        if not sentences[-1]:
            raise CorpusError(f"{path}: expected at least one sentence. Found none.")
    return Corpus("conllu", f"{train.name}, judged by {dev.name}", *sentences, sample=dev)


def _only_file(folder: Path, pattern: str) -> Path:
    paths = sorted(folder.glob(pattern))
    if len(paths) != 1:
        names = ", ".join(path.name for path in paths) or "none"
        raise CorpusError(f"{folder}: expected one file named {pattern}. Found: {names}.")
    return paths[0]


def _standard_library(limit: int | None) -> Corpus:
    folder = Path(sysconfig.get_paths()["stdlib"])
    # By a checksum of the name: the same modules on every machine, whatever else the version adds.
    paths = sorted(folder.glob("*.py"), key=lambda path: zlib.crc32(path.stem.encode()))
    held_out, train = (
        [path for path in paths if (zlib.crc32(path.stem.encode()) % HELD_OUT_SHARE == 0) == wanted]
        for wanted in (True, False)
    )
    if not held_out or not train:
        raise CorpusError(f"{folder}: expected the standard library's .py files. Give CoNLL-U files with --data.")
    train_modules, train_sentences = _read_modules(train, limit)
    held_out_modules, held_out_sentences = _read_modules(held_out, _quarter(limit))
    description = f"{train_modules} modules of the standard library, judged by {held_out_modules} others"
    return Corpus("python", description, train_sentences, held_out_sentences, *_sample(held_out))


def _read_modules(paths: list[Path], limit: int | None) -> tuple[int, list[Sentence]]:
    sentences: list[Sentence] = []
    modules = 0
    for path in paths:
        if limit is None or sum(map(len, sentences)) < limit:
            sentences += read_python(path)
            modules += 1
    return modules, _first_words(sentences, limit)


def _sample(paths: list[Path]) -> tuple[Path, int]:
    """Takes the module of middle size, neither a stub nor a table, from its first class or function on."""
    path = sorted(paths, key=lambda path: path.stat().st_size)[len(paths) // 2]
    rows = (sentence.positions[0][0] for sentence in read_python(path) if sentence.words[0] in ("class", "def"))
    return path, next(rows, 0) + 1


def _quarter(limit: int | None) -> int | None:
    return None if limit is None else max(1, limit // 4)


def _first_words(sentences: list[Sentence], limit: int | None) -> list[Sentence]:
    if limit is None:
        return sentences
    total, kept = 0, []
    for sentence in sentences:
        if total >= limit:
            break
        kept.append(sentence)
        total += len(sentence)
    return kept
