"""Learns to translate from pairs of sentences, judges how it was searched, and ships the translator without Keras.

    python examples/translate.py                                    phrases that come with the Babel package
    python examples/translate.py --data ../shared/data/translation  everyday sentences, English to German
    python examples/translate.py --compare                          beside a model without attention

The steps stand in `run`, one after the other; their parts are in `translation/` and `generating/`, and the serving side
in `serve_translate.py`.
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
from tag import heading, quiet_standard_error

from generating.vocabulary import UNKNOWN_ID
from tagging.sentence import CorpusError
from translation.corpus import PairCorpus, load_pairs
from translation.terminal import print_lengths, print_searches
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
    parser.add_argument("--units", type=int, default=256, help="the units of the decoder (default: %(default)s)")
    parser.add_argument(
        "--dropout", type=float, default=0.3, help="the share of features dropped (default: %(default)s)"
    )
    parser.add_argument("--no-attention", action="store_true", help="the plain encoder-decoder, for itself")
    parser.add_argument("--compare", action="store_true", help="train the plain encoder-decoder too, as long again")
    parser.add_argument("--seed", type=int, default=7, help="the seed of everything random (default: %(default)s)")
    options = parser.parse_args(arguments)
    for name in ("epochs", "seconds", "limit"):
        if (value := getattr(options, name)) is not None and value < 1:
            parser.error(f"--{name} must be at least 1. Received: {value:g}.")
    if options.units < 2 or options.units % 2:
        parser.error(f"--units must be an even number, two directions share them. Received: {options.units}.")
    if not 0 <= options.dropout < 1:
        parser.error(f"--dropout must be at least 0 and below 1. Received: {options.dropout:g}.")
    if options.compare and options.no_attention:
        parser.error("--compare trains both models, --no-attention the plain one alone. Received: both.")
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
        from translation.analysis import analyse
        from translation.experiment import build, search_all, train_on

    beam = keras_seq.BeamSearch(
        num_beams=NUM_BEAMS, alpha=ALPHA, max_length=MAX_LENGTH, banned_ids=(UNKNOWN_ID,), min_length=1
    )
    attention = not options.no_attention
    model = build(texts, options, MAX_SOURCE_LENGTH, attention=attention)
    train_on(model, texts, corpus, options, console)

    heading(console, "Judge on held-out sentences")
    found = search_all(model, texts, corpus.dev, beam)
    translations = {name: [texts.decode_target(one.ids) for one in generated] for name, generated in found.items()}
    print_searches(console, corpus.dev, translations)
    print_lengths(console, corpus.dev, translations)

    heading(console, "Whose fault the wrong ones are")
    name = f"beam {NUM_BEAMS}, alpha {ALPHA:g}"
    analysis = analyse(model, texts, corpus.dev, found[name], beam)
    console.print(str(analysis), markup=False, soft_wrap=True)

    if options.compare:
        compare(options, corpus, texts, beam, translations[name], name, console)

    heading(console, "Export and verify")
    if not export(model, texts, beam, options.out / "bundle", console):
        return 1
    (options.out / "error_analysis.txt").write_text(f"{analysis}\n", encoding="utf-8")
    console.print(f"{options.out / 'error_analysis.txt'}: whose fault the wrong ones are")

    heading(console, "Translate in a new process, with ONNX Runtime alone")
    code = serve(options, corpus)
    console.print()
    console.print(f"The whole demo took {time.perf_counter() - start:.0f} s.")
    return code


def compare(options, corpus: PairCorpus, texts: Texts, beam, translations: list[str], name: str, console: Console):
    """Trains the plain encoder-decoder as long as the other, and sets the two side by side.

    Args:
        options: The command line's options.
        corpus: What to learn from and to be judged by.
        texts: The words.
        beam: The search.
        translations: What the model with attention gives.
        name: The name of the search.
        console: Where to print.
    """
    from translation.experiment import build, search_all, train_on

    heading(console, "The same without attention")
    plain = build(texts, options, MAX_SOURCE_LENGTH, attention=False)
    train_on(plain, texts, corpus, options, console)
    found = search_all(plain, texts, corpus.dev, beam)[name]
    both = {"attention": translations, "none": [texts.decode_target(one.ids) for one in found]}
    print_searches(console, corpus.dev, {f"{key}, {name}": value for key, value in both.items()})
    print_lengths(console, corpus.dev, both)


def export(model, texts: Texts, beam, out: Path, console: Console) -> bool:
    """Writes the bundle, verified, with the decode loop inside; the vocabularies go along.

    Args:
        model: The trained translator.
        texts: Its words.
        beam: The search.
        out: Where to write. The folder appears whole or, if anything goes wrong, not at all.
        console: Where to print.

    Returns:
        Whether the bundle was written and computes what the model computes.
    """
    from keras_seq.export import ExportError, export_model

    metadata = {"task": "translation", **texts.to_metadata()}
    try:
        with console.status("exporting") as status:
            report = export_model(model, out, generate=beam, metadata=metadata, overwrite=True, progress=status.update)
    except ExportError as error:
        print(error, file=sys.stderr)
        return False
    console.print(str(report), soft_wrap=True)
    return True


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
