"""Trains a tagger in Keras, ships it without: train, judge, export, verify, time, and tag with ONNX Runtime alone.

    python examples/tag.py                                   learns to highlight Python from the standard library
    python examples/tag.py --data ../shared/data/pos_tagging learns parts of speech from CoNLL-U files
    python examples/tag.py --tag FILE                        shows FILE at the end rather than a held-out one

The steps stand in `run`, one after the other; their parts are in `tagging/`, and the serving side in `serve_tags.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

from rich.console import Console

from tagging.corpus import Corpus, load_corpus
from tagging.features import Features
from tagging.scores import MostFrequentLabel, score_groups, score_labels
from tagging.sentence import CorpusError, Sentence
from tagging.terminal import print_groups, print_labels, print_latencies

SERVE = Path(__file__).with_name("serve_tags.py")
BATCH_SIZES, SENTENCE_LENGTH = (1, 32), 20
SAMPLE_ROWS = {"python": 40, "conllu": 8}


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
        "--data", type=Path, help="a folder with *-train.conllu and *-dev.conllu (default: Python's own source)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/tagger"), help="the bundle to write (default: %(default)s)"
    )
    parser.add_argument("--tag", type=Path, metavar="FILE", help="the file to tag at the end (default: a held-out one)")
    parser.add_argument(
        "--epochs", type=int, default=5, help="how often to read the training words (default: %(default)s)"
    )
    parser.add_argument("--limit", type=int, default=300_000, help="the most words to train on (default: %(default)s)")
    parser.add_argument("--units", type=int, default=128, help="the units of each direction (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="the seed of everything random (default: %(default)s)")
    options = parser.parse_args(arguments)
    for name in ("epochs", "limit", "units"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1. Received: {getattr(options, name)}.")
    if options.tag is not None and not options.tag.is_file():
        parser.error(f"--tag must name a file. Received: {options.tag}, which is none.")
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
    corpus = load_corpus(options.data, options.limit)
    features = Features.fit(corpus.train)
    console.print(
        f"{corpus.description}: {count_words(corpus.train):,} words to learn from, {count_words(corpus.held_out):,} "
        f"held out, {len(features.words):,} known words, {len(features.labels)} labels"
    )

    heading(console, "Train")
    with console.status("loading Keras"), quiet_standard_error():
        import keras  # only now, so that a mistake in the options or the data is told at once

        from tagging.batches import Batches
        from tagging.model import build_tagger
        from tagging.training import tag, train
    keras.utils.set_random_seed(options.seed)
    model = build_tagger(features, options.units)
    begin = time.perf_counter()
    train(model, Batches(features, corpus.train, seed=options.seed), options.epochs, console)
    console.print(f"{model.count_params():,} parameters, {time.perf_counter() - begin:.0f} s")

    heading(console, "Judge on held-out words")
    predicted = tag(model, features, corpus.held_out)
    print_groups(console, score_groups(MostFrequentLabel(corpus.train), corpus.held_out, predicted))
    print_labels(console, score_labels([sentence.labels for sentence in corpus.held_out], predicted))

    heading(console, "Export and verify")
    if not export(model, features, corpus.task, options.out, console):
        return 1

    heading(console, "Time")
    with console.status("exporting with Keras too, and timing"):
        from tagging.latency import measure, typical_batch

        batches = [typical_batch(features, corpus.held_out, size, SENTENCE_LENGTH) for size in BATCH_SIZES]
        latencies = measure(model, options.out, batches)
    headings = [f"{size} x {SENTENCE_LENGTH} words" for size in BATCH_SIZES]
    print_latencies(console, headings, [astuple(latency) for latency in latencies])

    heading(console, "Tag in a new process, with ONNX Runtime alone")
    code = serve(options, corpus)
    console.print()
    console.print(f"The whole demo took {time.perf_counter() - start:.0f} s.")
    return code


def heading(console: Console, title: str) -> None:
    """Opens a step of the demo."""
    console.print()
    console.rule(f"[bold]{title}", align="left")


@contextlib.contextmanager
def quiet_standard_error() -> Iterator[None]:
    """Holds standard error back, and shows it if something is raised.

    TensorFlow writes there while it loads, whatever the log level: that it found no GPU, and what it could do about it.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held, os.fdopen(os.dup(2), "wb") as real:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            real.write(held.read())
            raise
        finally:
            os.dup2(real.fileno(), 2)


def count_words(sentences: Sequence[Sentence]) -> int:
    """Counts the words of all sentences."""
    return sum(map(len, sentences))


def export(model, features: Features, task: str, out: Path, console: Console) -> bool:
    """Writes the bundle, verified; the vocabularies go along, so that serving needs nothing else.

    Args:
        model: The trained tagger.
        features: Its vocabularies.
        task: `python` or `conllu`.
        out: Where to write. The folder appears whole or, if anything goes wrong, not at all.
        console: Where to print.

    Returns:
        Whether the bundle was written and computes what the model computes.
    """
    from keras_seq.export import ExportError, export_model

    metadata = {"task": task, "features": features.to_metadata()}
    try:
        with console.status("exporting") as status:
            report = export_model(model, out, metadata=metadata, overwrite=True, verify=True, progress=status.update)
    except ExportError as error:
        print(error, file=sys.stderr)
        return False
    console.print(str(report), soft_wrap=True)
    return True


def serve(options: argparse.Namespace, corpus: Corpus) -> int:
    """Tags a file by `serve_tags.py`, in a process that has never seen Keras.

    Args:
        options: The command line's options.
        corpus: What was read, for its sample.

    Returns:
        The exit code of that process.
    """
    show = [str(corpus.sample), f"--first-row={corpus.sample_row}", f"--rows={SAMPLE_ROWS[corpus.task]}"]
    if options.tag:
        show = [str(options.tag)]
    return subprocess.run([sys.executable, str(SERVE), str(options.out), *show], check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Interrupted: nothing was left half written.", file=sys.stderr)
        sys.exit(130)
