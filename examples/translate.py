"""Learns to translate from pairs of sentences, judges how it was searched, and ships the translator without Keras.

    python examples/translate.py                                    phrases that come with the Babel package
    python examples/translate.py --data ../shared/data/translation  everyday sentences, English to German
    python examples/translate.py --model transformer                by attention alone, without recurrence
    python examples/translate.py --compare plain transformer        several models, side by side
    python examples/translate.py --quantize int8                    with a smaller, faster variant of each

The steps stand in `run` and in `translation/experiment.py`, one after the other; their parts are in `translation/` and
`generating/`, and the serving side in `serve_translate.py`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from tag import quiet_standard_error

from generating.vocabulary import UNKNOWN_ID
from quantizing.choices import add_option
from tagging.sentence import CorpusError
from tagging.terminal import heading
from translation.choices import MODELS, NUM_HEADS
from translation.corpus import PairCorpus, load_pairs
from translation.terminal import print_lengths, print_models
from translation.texts import Texts

SERVE = Path(__file__).with_name("serve_translate.py")
MAX_SOURCE_LENGTH, MAX_LENGTH = 40, 30
NUM_BEAMS, ALPHA = 4, 0.7


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
        help="tab-separated pairs: a file, or a folder with *-train.tsv and *-dev.tsv (default: Babel)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/translate"),
        help="the folder for bundle and analysis (default: %(default)s)",
    )
    parser.add_argument("--epochs", type=int, default=15, help="how often to read the pairs (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=840, help="how long to train at most (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="the most pairs to learn from (default: all)")
    parser.add_argument("--units", type=int, default=256, help="the width of the decoder (default: %(default)s)")
    parser.add_argument(
        "--dropout", type=float, default=0.3, help="the share of features dropped (default: %(default)s)"
    )
    parser.add_argument(
        "--model", choices=MODELS, default=MODELS[0], help="what translates, and is served (default: %(default)s)"
    )
    parser.add_argument(
        "--compare",
        nargs="+",
        choices=MODELS,
        default=[],
        metavar="MODEL",
        help="what to train too, each as long again",
    )
    parser.add_argument("--seed", type=int, default=7, help="the seed of everything random (default: %(default)s)")
    add_option(parser)
    options = parser.parse_args(arguments)
    for name in ("epochs", "seconds", "limit"):
        if (value := getattr(options, name)) is not None and value < 1:
            parser.error(f"--{name} must be at least 1. Received: {value:g}.")
    if options.units < 2 or options.units % 2:
        parser.error(f"--units must be an even number, two directions share them. Received: {options.units}.")
    if not 0 <= options.dropout < 1:
        parser.error(f"--dropout must be at least 0 and below 1. Received: {options.dropout:g}.")
    every = [options.model, *options.compare]
    if len(set(every)) < len(every):
        parser.error(f"--compare must name models other than --model, each once. Received: {' '.join(every)}.")
    if "transformer" in every and options.units % (2 * NUM_HEADS):
        parser.error(
            f"--units must be a multiple of {2 * NUM_HEADS}, as the {NUM_HEADS} heads of the transformer share half of "
            f"them. Received: {options.units}."
        )
    if options.out.exists() and not (options.out / "bundle" / "bundle.json").is_file():
        parser.error(f"--out must be new or from this program. Received: {options.out}, which is neither.")
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
    corpus = load_pairs(options.data, options.limit, options.seed)
    texts = Texts.fit(corpus.train)
    several = sum(len(judged.references) > 1 for judged in corpus.dev)
    console.print(
        f"{corpus.description}: {len(corpus.train):,} pairs to learn from, {len(corpus.dev):,} sentences held out, "
        f"{several} of them with several translations, {len(texts.source):,} and {len(texts.target):,} known words"
    )

    with console.status("loading Keras"), quiet_standard_error():
        import keras_seq  # only now, so that a mistake in the options or the data is told at once
        from translation.experiment import Setting, run_experiment
        from translation.speed import tokens_per_second

    beam = keras_seq.BeamSearch(
        num_beams=NUM_BEAMS, alpha=ALPHA, max_length=MAX_LENGTH, banned_ids=(UNKNOWN_ID,), min_length=1
    )
    setting = Setting(corpus, texts, beam, options, MAX_SOURCE_LENGTH)
    outcomes = []
    for name in (options.model, *options.compare):
        folder = options.out if name == options.model else options.out / name
        outcome = run_experiment(name, setting, folder, console)
        if outcome is None:
            return 1
        outcomes.append(outcome)

    heading(console, "Side by side")
    with console.status("timing"):
        sources = [texts.encode_source(judged.source) for judged in corpus.dev]
        rates = tokens_per_second({outcome.model: outcome.bundle for outcome in outcomes}, sources)
    print_models(console, corpus.dev, outcomes, rates)
    print_lengths(console, corpus.dev, {outcome.model: outcome.best for outcome in outcomes})

    heading(console, "Translate in a new process, with ONNX Runtime alone")
    code = serve(options, corpus)
    console.print()
    console.print(f"The whole demo took {time.perf_counter() - start:.0f} s.")
    return code


def serve(options: argparse.Namespace, corpus: PairCorpus) -> int:
    """Translates held-out sentences by `serve_translate.py`, in a process that has never seen Keras."""
    held_out = options.out / "held_out.tsv"
    lines = (f"{judged.source}\t{reference}\n" for judged in corpus.dev for reference in judged.references)
    held_out.write_text("".join(lines), encoding="utf-8", newline="\n")
    command = [sys.executable, str(SERVE), str(options.out / "bundle"), f"--file={held_out}"]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Interrupted: nothing was left half written.", file=sys.stderr)
        sys.exit(130)
