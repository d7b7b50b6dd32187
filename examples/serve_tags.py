"""Tags a file with an exported tagger, through `keras_seq.serving` alone: neither Keras nor TensorFlow is loaded.

    python examples/serve_tags.py out/tagger FILE

A Python tagger colours FILE as source; a CoNLL-U tagger takes plain text, one sentence a line, or a `.conllu` file.
Where the file says what is right, mistakes are underlined and counted.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from keras_seq.serving import Predictor, ServingError
from tagging.corpus import read_lines, read_words
from tagging.features import Features, batches_by_length
from tagging.python_source import read_source
from tagging.sentence import CorpusError, Sentence
from tagging.terminal import STYLES, colour_source, colour_words, print_legend

PIECES_PER_BATCH, CHARACTERS_PER_BATCH = 1024, 4096


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The arguments; those of the process where None.

    Returns:
        The exit code: 0 if all went well, 1 if Keras or TensorFlow was loaded, 2 for bad input.
    """
    parser = argparse.ArgumentParser(description="Tag a file with an exported tagger.")
    parser.add_argument("bundle", type=Path, help="the folder that tag.py wrote")
    parser.add_argument("file", type=Path, help="a Python file, a text, or a .conllu file")
    parser.add_argument("--first-row", type=int, default=1, help="the first row of the file to show (from 1)")
    parser.add_argument("--rows", type=int, help="how many rows, or sentences of CoNLL-U, to show; all by default")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    try:
        serve(options.bundle, options.file, options.first_row, options.rows, console)
    except (CorpusError, ServingError) as error:
        print(error, file=sys.stderr)
        return 2
    loaded = sorted({"keras", "tensorflow"} & sys.modules.keys())
    console.print(f"loaded of keras and tensorflow: {', '.join(loaded) or 'neither'}; peak memory {peak_memory()}")
    return 1 if loaded else 0


def serve(bundle: Path, file: Path, first_row: int, rows: int | None, console: Console) -> None:
    """Loads the bundle, tags the whole file and shows the rows asked for.

    Args:
        bundle: The bundle.
        file: What to tag.
        first_row: The first row to show, from 1.
        rows: How many to show, all where None.
        console: Where to print.
    """
    start = time.perf_counter()
    predictor = Predictor(bundle)
    task = predictor.metadata.get("task")
    if task not in STYLES or set(predictor.tokenizers) != {"words", "characters"}:
        raise CorpusError(
            f"{bundle}: expected a bundle that tag.py wrote, with its tokenizers and `task` in its metadata."
        )
    loaded = time.perf_counter()

    if task == "conllu" and file.suffix != ".conllu":
        sentences, predicted = tag_lines(predictor, read_lines(file))
    else:
        sentences = read_words(file, task)
        predicted = tag(predictor, sentences)
    if not sentences:
        raise CorpusError(f"{file}: expected at least one word to tag. Found none.")
    tagged = time.perf_counter()

    last_row = None if rows is None else first_row - 1 + rows
    if task == "python":
        text = colour_source(read_source(file), sentences, predicted)
        for line in text.split("\n")[first_row - 1 : last_row]:
            console.print(line, soft_wrap=True)
    else:
        for sentence, labels in list(zip(sentences, predicted, strict=True))[first_row - 1 : last_row]:
            console.print(colour_words(sentence, labels), soft_wrap=True)
    print_legend(console, task)
    words = sum(map(len, sentences))
    console.print(
        f"{file.name}: bundle loaded in {loaded - start:.2f} s, {words:,} words tagged in {tagged - loaded:.2f} s"
    )
    pairs = [
        (right, given)
        for sentence, labels in zip(sentences, predicted, strict=True)
        for right, given in zip(sentence.labels or (), labels, strict=False)
    ]
    if pairs:
        right = sum(right == given for right, given in pairs)
        console.print(f"right: {right:,} of {len(pairs):,}, {right / len(pairs):.4f}")


def tag_lines(predictor: Predictor, lines: Sequence[str]) -> tuple[list[Sentence], list[list[str]]]:
    """Cuts plain text into words and labels them: the bundle does both.

    Args:
        predictor: The loaded bundle.
        lines: The text, a sentence a line.

    Returns:
        The sentences, those without a word left out, and a list of labels for each.
    """
    tagged: list[tuple[list[str], list[str]]] = [([], [])] * len(lines)
    lengths = list(map(len, lines))
    for batch in batches_by_length(lengths, np.argsort(lengths, kind="stable"), CHARACTERS_PER_BATCH):
        answer = predictor.predict_text([lines[index] for index in batch])
        for index, words, labels in zip(batch, answer["tokens"], answer["tags.labels"], strict=True):
            tagged[index] = words, labels
    sentences = [(Sentence(tuple(words)), labels) for words, labels in tagged if words]
    return [sentence for sentence, _ in sentences], [labels for _, labels in sentences]


def tag(predictor: Predictor, sentences: Sequence[Sentence]) -> list[list[str]]:
    """Labels words that somebody else has told apart: the first piece of each says its label.

    Args:
        predictor: The loaded bundle.
        sentences: The sentences; labels are not looked at.

    Returns:
        One list of labels a sentence, in the order given.
    """
    features = Features(**predictor.tokenizers, labels=predictor.labels["tags"])
    encoded = [features.encode(sentence.words) for sentence in sentences]
    predicted: list[list[str]] = [[] for _ in sentences]
    lengths = [len(one.words) for one in encoded]
    for batch in batches_by_length(lengths, np.argsort(lengths, kind="stable"), PIECES_PER_BATCH):
        words, characters, _ = zip(*(encoded[index] for index in batch), strict=True)
        tags = predictor.predict({"words": words, "characters": characters})["tags"]  # rows of their own lengths
        for index, row in zip(batch, tags, strict=True):
            predicted[index] = features.decode(row, encoded[index])
    return predicted


def peak_memory() -> str:
    """Tells the most memory this process has held, where the system keeps account of it under `/proc`."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return "unknown"
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return f"{int(kilobytes) / 1024:.0f} MB"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
