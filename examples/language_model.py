"""Learns to predict text, judges it beside models that count, lets it write, and ships it without Keras.

    python examples/language_model.py                                      Python's own documentation
    python examples/language_model.py --data ../shared/data/language_model Shakespeare, character by character
    python examples/language_model.py --data FOLDER --level word           words; of several texts the longest
    python examples/language_model.py --model transformer                  by attention, without recurrence
    python examples/language_model.py --quantize int8                      with a smaller, faster variant

The steps stand in `run`, one after the other; their parts are in `language_modelling/`, and the serving side in
`serve_language_model.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from tag import quiet_standard_error

from language_modelling.choices import CELLS, LEVELS, MODELS, NUM_HEADS
from language_modelling.texts import load_texts
from quantizing.choices import add_option
from tagging.sentence import CorpusError
from tagging.terminal import heading

SERVE = Path(__file__).with_name("serve_language_model.py")
BATCH_SIZES = {"char": 32, "word": 16}  # a step costs more where there are many words to choose from
WINDOWS = {"char": 64, "word": 35}  # tokens that a gradient goes back over


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
    add = parser.add_argument
    add("--data", type=Path, help="a folder with NAME-train*.txt and NAME-dev.txt (default: Python's documentation)")
    add("--text", metavar="NAME", help="which of the folder's texts (default: the shortest; by word the longest)")
    add("--level", choices=LEVELS, default=LEVELS[0], help="what a token is (default: %(default)s)")
    add("--model", choices=MODELS, default=MODELS[0], help="what predicts (default: %(default)s)")
    add("--out", type=Path, default=Path("out/language_model"), help="the folder to write (default: %(default)s)")
    add("--seconds", type=float, default=480, help="how long to train at most (default: %(default)s)")
    add("--epochs", type=int, default=30, help="how often to read the text at most (default: %(default)s)")
    add("--cell", choices=CELLS, default=CELLS[0], help="of the recurrent model (default: %(default)s)")
    add("--units", type=int, default=512, help="the width; transformers have a quarter of it (default: %(default)s)")
    add("--layers", type=int, help="how many (default: 1, transformers 4)")
    add("--dropout", type=float, default=0.2, help="the share of features dropped (default: %(default)s)")
    add("--learning-rate", type=float, help="the highest (default: 0.005, transformers 0.002)")
    add("--batch-size", type=int, help="how many places to read at a time (default: 32, by word 16)")
    add("--steps", type=int, help="how many tokens a gradient goes back over (default: 64 characters, 35 words)")
    add("--max-words", type=int, default=10_000, help="how many words to know at most (default: %(default)s)")
    add("--prompt", help="what samples begin with (default: the first words that are held out)")
    add("--seed", type=int, default=7, help="the seed of everything random (default: %(default)s)")
    add_option(parser)
    options = parser.parse_args(arguments)
    for name in ("epochs", "seconds", "layers", "batch_size", "steps", "learning_rate"):
        value = getattr(options, name)
        if value is not None and value < (1 if name != "learning_rate" else 1e-9):
            parser.error(f"--{name.replace('_', '-')} must be positive. Received: {value:g}.")
    if options.units < 4 or options.units % 4:
        parser.error(f"--units must be a multiple of 4, vectors have a part of them. Received: {options.units}.")
    if options.model == "transformer" and options.units % (8 * NUM_HEADS):
        parser.error(f"--units must be a multiple of {8 * NUM_HEADS} for a transformer. Received: {options.units}.")
    if options.max_words < 5:
        parser.error(f"--max-words must be at least 5, four of them are special. Received: {options.max_words}.")
    if not 0 <= options.dropout < 1:
        parser.error(f"--dropout must be at least 0 and below 1. Received: {options.dropout:g}.")
    if options.out.exists() and not (options.out / "bundle" / "bundle.json").is_file():
        parser.error(f"--out must be new or from this program. Received: {options.out}, which is neither.")
    options.batch_size = options.batch_size or BATCH_SIZES[options.level]
    options.steps = options.steps or WINDOWS[options.level] * (2 if options.model == "transformer" else 1)
    options.learning_rate = options.learning_rate or (2e-3 if options.model == "transformer" else 5e-3)
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
    corpus = load_texts(options.data, options.level, options.text)
    with console.status("loading Keras"), quiet_standard_error():
        # Only now, so that a mistake in the options or the data is told at once.
        from language_modelling.experiment import Experiment
    experiment = Experiment(options, corpus, console)
    experiment.read()
    heading(console, "Train")
    experiment.train()
    heading(console, "Judge on held-out text")
    experiment.judge()
    heading(console, "Choose between words that sound alike")
    experiment.choose()
    heading(console, "Write")
    experiment.write()
    heading(console, "Export and verify")
    if not experiment.export(options.out / "bundle"):
        return 1
    (options.out / "expected.json").write_text(json.dumps(experiment.expected(), indent=1), encoding="utf-8")

    heading(console, "Write in a new process, with ONNX Runtime alone")
    command = [sys.executable, str(SERVE), str(options.out / "bundle"), f"--expect={options.out / 'expected.json'}"]
    code = subprocess.run(command, check=False).returncode
    console.print()
    console.print(f"The whole demo took {time.perf_counter() - start:.0f} s.")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Interrupted: nothing was left half written.", file=sys.stderr)
        sys.exit(130)
