"""Learns to name what a text is, with word vectors learnt beforehand and without, and ships it: strings in, labels out.

    python examples/sentiment.py                                 docstrings of the standard library: which chapter?
    python examples/sentiment.py --data ../shared/data/sentiment snippets of film reviews: for or against?
    python examples/sentiment.py --vectors glove.6B.100d.txt     with vectors from a file

Many words go in and one label comes out. Classifiers are trained on 5 %, 20 % and all of the labelled texts, once with
word vectors that start at random and once with vectors that skip-gram has learnt from all texts, of which no label is
looked at; naive Bayes stands beside them. The steps are in `run` and in `classifying/experiment.py`.
"""

from __future__ import annotations

import argparse
import collections
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from tag import quiet_standard_error

from classifying.corpus import Corpus, load_corpus
from classifying.terminal import print_amounts
from tagging.sentence import CorpusError
from tagging.terminal import heading

if TYPE_CHECKING:  # they need Keras, which takes seconds to load
    from classifying.experiment import Classifier
    from keras_seq.embeddings import WordVectors

SERVE = Path(__file__).with_name("serve_sentiment.py")
MOST_VECTORS = 100_000  # of a file; the frequent words come first there


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The arguments; those of the process where None.
        console: Where to print; standard output where None.

    Returns:
        The exit code: 0 if all went well, 1 if the export failed or is not equal to the model, 2 for bad input.
    """
    options = parse(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        return run(options, console or Console(highlight=False))
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 2


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data",
        type=Path,
        help="a folder with *-train.tsv and *-dev.tsv, columns `label` and `text` (default: docstrings)",
    )
    parser.add_argument(
        "--texts", type=Path, nargs="+", default=[], metavar="FILE", help="plain text to learn word vectors from too"
    )
    parser.add_argument("--vectors", type=Path, metavar="FILE", help="a file of word vectors instead of learning them")
    parser.add_argument(
        "--out", type=Path, default=Path("out/sentiment"), help="the bundle to write (default: %(default)s)"
    )
    parser.add_argument(
        "--shares",
        type=float,
        nargs="+",
        default=[0.05, 0.2, 1.0],
        metavar="SHARE",
        help="how much of the labelled texts to learn from (default: 0.05 0.2 1)",
    )
    parser.add_argument("--runs", type=int, default=1, help="trainings of each kind (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=8, help="how often to read all texts (default: %(default)s)")
    parser.add_argument("--vector-epochs", type=int, help="how often to read them for vectors (default: by their size)")
    parser.add_argument("--units", type=int, default=64, help="of the GRU, each direction (default: %(default)s)")
    parser.add_argument(
        "--dropout", type=float, default=0.5, help="the share of features dropped (default: %(default)s)"
    )
    parser.add_argument(
        "--word-dropout", type=float, default=0.1, help="the share of words hidden (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=7, help="the seed of everything random (default: %(default)s)")
    options = parser.parse_args(arguments)
    for name in ("runs", "epochs", "vector_epochs", "units"):
        if (value := getattr(options, name)) is not None and value < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1. Received: {value}.")
    for name in ("dropout", "word_dropout"):
        if not 0 <= (value := getattr(options, name)) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 0 and below 1. Received: {value:g}.")
    if wrong := [share for share in options.shares if not 0 < share <= 1]:
        parser.error(f"--shares must be above 0 and at most 1. Received: {wrong[0]:g}.")
    if options.out.exists() and not (options.out / "bundle.json").is_file():
        parser.error(f"--out must be a new folder or a bundle. Received: {options.out}, which is neither.")
    return options


def run(options: argparse.Namespace, console: Console) -> int:
    """Does the whole demo, one step after the other.

    Args:
        options: The command line's options.
        console: Where to print.

    Returns:
        The exit code.
    """
    start = time.perf_counter()
    heading(console, "Read")
    corpus = load_corpus(options.data, options.texts, options.seed)
    counts = collections.Counter(label for _, label in corpus.train)
    console.print(
        f"{corpus.description}: {len(corpus.train):,} texts to learn from, {len(corpus.dev):,} held out, "
        f"{len(corpus.unlabelled):,} without label; "
        + ", ".join(f"{label} {counts[label]:,}" for label in corpus.labels)
    )

    with console.status("loading Keras"), quiet_standard_error():
        # Only now, so that a mistake in the options or the data is told at once.
        from classifying.experiment import describe_coverage, run_amounts, split
        from classifying.pretraining import learn_vectors
        from keras_seq.embeddings import WordVectors
        from keras_seq.text import WordTokenizer

        splitter = WordTokenizer.from_lines(text for text, _ in corpus.train)

    heading(console, "Word vectors, without labels")
    if options.vectors is None:
        sentences = split(splitter, [text for text, _ in corpus.train] + corpus.unlabelled)
        vectors = learn_vectors(sentences, console, seed=options.seed, epochs=options.vector_epochs)
    else:
        try:
            vectors = WordVectors.load(options.vectors, limit=MOST_VECTORS)
        except (OSError, ValueError) as error:
            raise CorpusError(f"--vectors: {error}") from error
        console.print(f"{options.vectors}: {len(vectors):,} words with {vectors.features} numbers each")
    console.print(f"of the texts to learn from: {describe_coverage(corpus, splitter, vectors)}", markup=False)
    print_neighbours(console, vectors, corpus)

    heading(console, "Train and judge, by how many texts have a label")
    amounts, best = run_amounts(corpus, splitter, vectors, options, console)
    most = collections.Counter(label for _, label in corpus.dev)[counts.most_common(1)[0][0]] / len(corpus.dev)
    print_amounts(console, amounts, most)

    heading(console, "Export and verify")
    if not export(best, corpus, options.out, console):
        return 1

    heading(console, "Classify in a new process, with ONNX Runtime alone")
    code = serve(options, corpus)
    console.print()
    console.print(f"The whole demo took {time.perf_counter() - start:.0f} s.")
    return code


def print_neighbours(console: Console, vectors: WordVectors, corpus: Corpus) -> None:
    """Prints the nearest words of a few frequent long ones, to see what the vectors are worth."""
    counts = collections.Counter(word for text, _ in corpus.train for word in text.lower().split() if len(word) > 4)
    for word in [word for word, _ in counts.most_common(60) if word in vectors][:60:12]:
        near = ", ".join(other for other, _ in vectors.most_similar(word, topn=6))
        console.print(f"  near {word}: {near}", markup=False)


def export(classifier: Classifier, corpus: Corpus, out: Path, console: Console) -> bool:
    """Writes the bundle, verified; the graph takes texts and gives labels.

    Args:
        classifier: What `run_amounts` gives.
        corpus: The texts.
        out: Where to write. The folder appears whole or, if anything goes wrong, not at all.
        console: Where to print.

    Returns:
        Whether the bundle was written and computes what the model computes.
    """
    from keras_seq.export import ExportError, export_model

    try:
        with console.status("exporting") as status:
            report = export_model(
                classifier.model,
                out,
                tokenizer=classifier.tokenizer,
                labels=classifier.labels,
                metadata={"task": "classification", "corpus": corpus.description, "accuracy": classifier.accuracy},
                overwrite=True,
                progress=status.update,
            )
    except ExportError as error:
        print(error, file=sys.stderr)
        return False
    console.print(str(report), soft_wrap=True, markup=False)
    return True


def serve(options: argparse.Namespace, corpus: Corpus) -> int:
    """Classifies the held-out texts by `serve_sentiment.py`, in a process that has never seen Keras."""
    held_out = options.out.with_name(f"{options.out.name}_held_out.tsv")
    lines = ("label\ttext\n", *(f"{label}\t{text}\n" for text, label in corpus.dev))
    held_out.write_text("".join(lines), encoding="utf-8", newline="\n")
    command = [sys.executable, str(SERVE), str(options.out), f"--file={held_out}"]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Interrupted: nothing was left half written.", file=sys.stderr)
        sys.exit(130)
