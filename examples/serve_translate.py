"""Translates with an exported translator, through `keras_seq.serving` alone: neither Keras nor TensorFlow is loaded.

python examples/serve_translate.py out/translate/bundle "Tom has a dog."
python examples/serve_translate.py out/translate/bundle --alpha 0 --file out/translate/held_out.tsv
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from generating.hypotheses import generate_all
from keras_seq.serving import Generator, ServingError
from tagging.sentence import CorpusError
from translation.corpus import Judged, group
from translation.pairs import read_pairs
from translation.terminal import print_searches, print_translations
from translation.texts import Texts


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The arguments; those of the process where None.

    Returns:
        The exit code: 0 if all went well, 1 if Keras or TensorFlow was loaded, 2 for bad input.
    """
    parser = argparse.ArgumentParser(description="Translate with an exported translator.")
    parser.add_argument("bundle", type=Path, help="the bundle that translate.py wrote")
    parser.add_argument("sentences", nargs="*", help="sentences to translate")
    parser.add_argument("--file", type=Path, help="tab-separated sentences and their translations, to judge by")
    parser.add_argument("--rows", type=int, default=12, help="how many of the file to show (default: %(default)s)")
    parser.add_argument("--alpha", type=float, help="the exponent of the length term (default: that of the export)")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    try:
        if not options.sentences and options.file is None:
            raise CorpusError("there is nothing to translate: give sentences, or a file with --file.")
        judged = [Judged(sentence, ()) for sentence in options.sentences]
        judged += [] if options.file is None else group(read_pairs(options.file))
        serve(options.bundle, judged, options.rows, options.alpha, console)
    except (CorpusError, ServingError) as error:
        print(error, file=sys.stderr)
        return 2
    loaded = sorted({"keras", "tensorflow"} & sys.modules.keys())
    console.print(f"loaded of keras and tensorflow: {', '.join(loaded) or 'neither'}")
    return 1 if loaded else 0


def serve(bundle: Path, judged: Sequence[Judged], shown: int, alpha: float | None, console: Console) -> None:
    """Loads the bundle, translates all sentences, shows some and judges those with references.

    Args:
        bundle: The bundle.
        judged: The sentences, with references or without.
        shown: How many of those with references to show.
        alpha: The exponent of the length term; that of the export where `None`.
        console: Where to print.
    """
    start = time.perf_counter()
    generator = Generator(bundle)
    if not {"source_words", "target_words"} <= generator.metadata.keys():
        raise CorpusError(f"{bundle}: expected a bundle that translate.py wrote, with `source_words` in its metadata.")
    texts = Texts.from_metadata(generator.metadata)
    loaded = time.perf_counter()
    options = {} if alpha is None else {"alpha": alpha}
    sources = [texts.encode_source(one.source) for one in judged]
    if empty := [one.source for one, source in zip(judged, sources, strict=True) if not len(source)]:
        raise CorpusError(f"a sentence needs at least one word or mark. Received: {empty[0]!r}.")
    generated = [
        hypotheses[0] for hypotheses in generate_all(lambda rows: generator.generate(rows, **options), sources)
    ]
    translated = time.perf_counter()

    rows = [
        (one.source, texts.decode_target(found.ids), one.references)
        for one, found in zip(judged, generated, strict=True)
    ]
    known = [row for row in rows if row[2]]
    step = max(1, len(known) // max(1, shown))
    print_translations(console, [row for row in rows if not row[2]] + known[::step][:shown])
    words = sum(len(found.ids) for found in generated)
    console.print(
        f"bundle loaded in {loaded - start:.2f} s, {len(rows):,} sentences translated in {translated - loaded:.2f} s, "
        f"{words / (translated - loaded):,.0f} tokens a second"
    )
    if unfinished := sum(not found.finished for found in generated):
        console.print(f"{unfinished} translations were cut off at the longest length")
    if known:
        dev = [one for one in judged if one.references]
        print_searches(console, dev, {"this bundle": [text for _, text, _ in known]})


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
