"""Trains a tagger in Keras, ships it without: train, judge, export, verify, time, and tag with ONNX Runtime alone.

    python examples/tag.py                                   learns to highlight Python from the standard library
    python examples/tag.py --data ../shared/data/pos_tagging learns parts of speech from CoNLL-U files
    python examples/tag.py --tag FILE                        shows FILE at the end rather than a held-out one
    python examples/tag.py --compare transformer             beside a tagger that reads by attention
    python examples/tag.py --quantize int8                   with a smaller, faster variant beside the float one

The bundle takes plain text: `Predictor("out/tagger").predict_text(["x = f(1)  # one"])`. The steps stand in `run` and
in `tagging/experiment.py`, one after the other; their parts are in `tagging/`, and the serving side in `serve_tags.py`.
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
from pathlib import Path

from rich.console import Console

from keras_seq.serving.text.tokenizer import SPECIAL_TOKENS
from quantizing.choices import add_option
from tagging.choices import MODELS, NUM_HEADS
from tagging.corpus import Corpus, load_corpus
from tagging.sentence import CorpusError, Sentence
from tagging.terminal import heading, print_models

SERVE = Path(__file__).with_name("serve_tags.py")
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
    parser.add_argument("--model", choices=MODELS, default=MODELS[0], help="what reads (default: %(default)s)")
    parser.add_argument(
        "--compare", nargs="+", choices=MODELS, default=[], metavar="MODEL", help="what to train too, and set beside it"
    )
    parser.add_argument("--tag", type=Path, metavar="FILE", help="the file to tag at the end (default: a held-out one)")
    parser.add_argument(
        "--epochs", type=int, default=5, help="how often to read the training words (default: %(default)s)"
    )
    parser.add_argument("--limit", type=int, default=300_000, help="the most words to train on (default: %(default)s)")
    parser.add_argument("--units", type=int, default=128, help="the width of the reader (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="the seed of everything random (default: %(default)s)")
    add_option(parser)
    options = parser.parse_args(arguments)
    for name in ("epochs", "limit", "units"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1. Received: {getattr(options, name)}.")
    every = [options.model, *options.compare]
    if len(set(every)) < len(every):
        parser.error(f"--compare must name models other than --model, each once. Received: {' '.join(every)}.")
    if "transformer" in every and options.units % (2 * NUM_HEADS):
        parser.error(
            f"--units must be a multiple of {2 * NUM_HEADS}, twice the transformer's heads. Received: {options.units}."
        )
    if options.tag is not None and not options.tag.is_file():
        parser.error(f"--tag must name a file. Received: {options.tag}, which is none.")
    for bundle in bundles(options).values():
        if bundle.exists() and not (bundle / "bundle.json").is_file():
            parser.error(f"--out must be a new folder or a bundle. Received: {bundle}, which is neither.")
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
    console.print(
        f"{corpus.description}: {count_words(corpus.train):,} words to learn from, {count_words(corpus.held_out):,} "
        "held out"
    )

    with console.status("loading Keras"), quiet_standard_error():
        # Only now, so that a mistake in the options or the data is told at once.
        from tagging.experiment import run_experiment, time_bundles, typical_batches
        from tagging.vocabularies import features_of, learn_tokenizers

        tokenizers = learn_tokenizers(corpus.train)
        features = features_of(tokenizers, corpus.train)
    known = features.words.vocabulary_size - len(SPECIAL_TOKENS)
    console.print(f"{known:,} known words and marks, {len(features.labels)} labels")

    outcomes = []
    for name, bundle in bundles(options).items():
        outcome = run_experiment(name, corpus, features, tokenizers, options, bundle, console)
        if outcome is None:
            return 1
        outcomes.append(outcome)
    if options.compare:
        heading(console, "Side by side")
        with console.status("timing"):
            times = time_bundles(outcomes, typical_batches(features, corpus))
        print_models(console, outcomes, times)

    heading(console, "Tag in a new process, with ONNX Runtime alone")
    code = serve(options, corpus)
    console.print()
    console.print(f"The whole demo took {time.perf_counter() - start:.0f} s.")
    return code


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


def bundles(options: argparse.Namespace) -> dict[str, Path]:
    """Where the bundle of each model is written; the one that is served has the folder of `--out`."""
    others = {name: options.out.with_name(f"{options.out.name}_{name}") for name in options.compare}
    return {options.model: options.out, **others}


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
