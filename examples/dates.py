"""Learns to read dates as people write them in 34 languages, and ships the reader without Keras.

    python examples/dates.py                  about three minutes of training on two cores
    python examples/dates.py --seconds 60     a quicker, less certain reader
    python examples/dates.py --quantize int8  with a smaller variant beside the float one

The data come with the Babel package. The steps stand in `run`, one after the other; their parts are in `date_reading/`
and `generating/`, and the serving side in `serve_dates.py`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from tag import quiet_standard_error

from date_reading.corpus import DateCorpus, WrittenDate, load_dates
from date_reading.table import Row, write_rows
from generating.padding import pad
from generating.vocabulary import Vocabulary
from quantizing.choices import add_option
from tagging.terminal import heading

if TYPE_CHECKING:  # it needs Keras, which is loaded when the options are known to be right
    from quantizing.quantizing import Quantizing

SERVE = Path(__file__).with_name("serve_dates.py")
MAX_SOURCE_LENGTH, MAX_LENGTH = 64, 12  # ten characters of an ISO date and its end; one more could be seen to be wrong
NUM_BEAMS = 4
JUDGED = 1000  # dates that a quantised reader is tried on


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
    return run(options, console or Console(highlight=False))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("out/dates"), help="the folder for bundle and picture (default: %(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=12, help="how often to read the examples (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=180, help="how long to train at most (default: %(default)s)")
    parser.add_argument("--examples", type=int, default=60_000, help="how many to learn from (default: %(default)s)")
    parser.add_argument("--units", type=int, default=128, help="the units of the decoder (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="the seed of everything random (default: %(default)s)")
    add_option(parser)
    options = parser.parse_args(arguments)
    for name in ("epochs", "seconds", "examples"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1. Received: {getattr(options, name):g}.")
    if options.units < 2 or options.units % 2:
        parser.error(f"--units must be an even number, two directions share them. Received: {options.units}.")
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
    corpus = load_dates(options.examples, seed=options.seed)
    source, target = (Vocabulary.fit(map(read, corpus.train)) for read in (_source, _target))
    describe(corpus, source, console)

    heading(console, "Train")
    with console.status("loading Keras"), quiet_standard_error():
        import keras  # only now, so that a mistake in the options is told at once

        from generating.batches import PairBatches
        from generating.model import build_model
        from generating.training import train
        from quantizing.quantizing import Quantizing
    keras.utils.set_random_seed(options.seed)
    sizes = {"units": options.units, "embedding_dim": max(2, options.units // 2)}
    model = build_model(len(source), len(target), **sizes, max_source_length=MAX_SOURCE_LENGTH, name="date_reader")
    batches, validation = (
        PairBatches(
            [source.encode(_source(example)) for example in examples],
            [target.encode(_target(example), end=True) for example in examples],
            size,
            seed=options.seed,
        )
        for examples, size in ((corpus.train, 64), (corpus.new_dates[:1000], 250))
    )
    begin = time.perf_counter()
    limits = {"epochs": options.epochs, "seconds": options.seconds}
    train(model, batches, console, validation=validation, learning_rate=3e-3, **limits)
    console.print(f"{model.count_params():,} parameters, {time.perf_counter() - begin:.0f} s")

    heading(console, "Export and verify")
    judged = corpus.new_dates[:JUDGED]
    sources = pad([source.encode(_source(example)) for example in judged])
    quantizing = Quantizing(
        options.quantize,
        {"model": validation, "generate": (sources, np.array([example.iso for example in judged]))},
        {"generate": right_dates(target)},
        {f"{size} dates": ("generate", sources[:size]) for size in (1, 32)},
    )
    if not export(model, source, target, options.out / "bundle", console, quantizing):
        return 1
    held_out = options.out / "held_out.tsv"
    groups = (("new dates", corpus.new_dates), ("new dates in new formats", corpus.new_formats))
    write_rows(held_out, [_row(example, group) for group, examples in groups for example in examples])

    heading(console, "Read dates in a new process, with ONNX Runtime alone")
    picture = options.out / "attention.png"
    command = [sys.executable, str(SERVE), str(options.out / "bundle"), f"--file={held_out}", f"--picture={picture}"]
    code = subprocess.run(command, check=False).returncode
    console.print()
    console.print(f"The whole demo took {time.perf_counter() - start:.0f} s.")
    return code


def describe(corpus: DateCorpus, source: Vocabulary, console: Console) -> None:
    """Says what was read, and what keeps the judgement honest."""
    languages = {format_.language for format_ in corpus.formats}
    patterns, held_out = (
        {(f.language, f.pattern) for f in formats} for formats in (corpus.formats, corpus.held_out_formats)
    )
    console.print(
        f"{len(corpus.train):,} dates in {len(languages)} languages and {len(patterns)} formats to learn from, "
        f"{len(source)} characters and tags. Held out: {len(corpus.new_dates):,} dates, none of which is learnt from "
        f"in any language, and {len(corpus.new_formats):,} in {len(held_out)} formats that are not learnt either."
    )


def right_dates(target: Vocabulary):
    """The metric of the reader: the share of dates that it reads rightly to the last digit."""

    def dates_right(isos: Sequence[str], outputs: dict[str, Sequence[np.ndarray]]) -> float:
        return np.mean(["".join(target.decode(ids[0])) == iso for iso, ids in zip(isos, outputs["ids"], strict=True)])

    return dates_right


def export(model, source: Vocabulary, target: Vocabulary, out: Path, console: Console, quantizing: Quantizing) -> bool:
    """Writes the bundle, verified, with the decode loop inside; the vocabularies go along.

    Args:
        model: The trained reader.
        source: The tokens of its sources.
        target: The tokens of its targets.
        out: Where to write. The folder appears whole or, if anything goes wrong, not at all.
        console: Where to print.
        quantizing: The variant to write too, if any.

    Returns:
        Whether the bundle was written and computes what the model computes.
    """
    import keras_seq
    from keras_seq.export import ExportError, export_model

    metadata = {"task": "dates", "source_tokens": source.tokens, "target_tokens": target.tokens}
    settings = {"metadata": metadata, **quantizing.settings()}
    search = keras_seq.BeamSearch(num_beams=NUM_BEAMS, max_length=MAX_LENGTH)
    try:
        with console.status("exporting") as status:
            report = export_model(model, out, generate=search, **settings, overwrite=True, progress=status.update)
    except ExportError as error:
        print(error, file=sys.stderr)
        return False
    console.print(str(report), soft_wrap=True)
    quantizing.show(console, report)
    return True


def _source(example: WrittenDate) -> tuple[str, ...]:
    return example.source


def _target(example: WrittenDate) -> tuple[str, ...]:
    return tuple(example.iso)


def _row(example: WrittenDate, group: str) -> Row:
    return Row(example.format.language, example.text, example.iso, group)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Interrupted: nothing was left half written.", file=sys.stderr)
        sys.exit(130)
