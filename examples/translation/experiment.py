"""One model from the first step to its bundle: built, trained, searched, judged, exported."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

import keras_seq
from generating.batches import PairBatches
from generating.padding import pad
from generating.training import train
from keras_seq.export import ExportError, export_model
from quantizing.quantizing import Quantizing
from tagging.terminal import heading
from translation.analysis import analyse
from translation.corpus import PairCorpus
from translation.judge import score
from translation.models import RECIPES, Translator, build
from translation.pictures import draw_heads
from translation.search import search_all, search_name
from translation.terminal import print_lengths, print_searches
from translation.texts import Texts
from translation.tokenizers import tokenizers


@dataclass(frozen=True)
class Setting:
    """What the models of one run have in common.

    Args:
        corpus: What to learn from and to be judged by.
        texts: Its words.
        beam: The search that is exported.
        options: The command line's options.
        max_source_length: The longest source.
    """

    corpus: PairCorpus
    texts: Texts
    beam: keras_seq.BeamSearch
    options: argparse.Namespace
    max_source_length: int


@dataclass(frozen=True)
class Outcome:
    """What became of one model.

    Args:
        model: Its name on the command line.
        bundle: What was exported of it.
        parameters: How many it has.
        seconds: How long it was trained, the time to compile included.
        epochs: How often it read the pairs; the last time perhaps in part.
        translations: By the name of the search, a translation of each held-out sentence; that of the exported one last.
    """

    model: str
    bundle: Path
    parameters: int
    seconds: float
    epochs: float
    translations: dict[str, list[str]]

    @property
    def best(self) -> list[str]:
        """What the exported search gives."""
        return next(reversed(self.translations.values()))


def run_experiment(name: str, setting: Setting, folder: Path, console: Console) -> Outcome | None:
    """Takes one model the whole way.

    Args:
        name: The model's name, a key of `translation.models.RECIPES`.
        setting: What all models have in common.
        folder: Where to write: the bundle, the error analysis, and a picture of the heads of those that have some.
        console: Where to print.

    Returns:
        What became of it; None if the export failed or is not equal to the model, which is printed.
    """
    dev, texts = setting.corpus.dev, setting.texts
    heading(console, f"Train ({name})")
    model = build(name, texts, setting.options, setting.max_source_length)
    seconds, epochs = train_on(name, model, setting, console)

    heading(console, f"Judge on held-out sentences ({name})")
    found = search_all(model, texts, dev, setting.beam)
    translations = {search: [texts.decode_target(one.ids) for one in every] for search, every in found.items()}
    print_searches(console, dev, translations)
    print_lengths(console, dev, translations)

    heading(console, f"Whose fault the wrong ones are ({name})")
    best = found[search_name(setting.beam)]
    analysis = analyse(model, texts, dev, best, setting.beam)
    console.print(str(analysis), markup=False, soft_wrap=True)

    heading(console, f"Export and verify ({name})")
    examples = [judged.source for judged in dev[:: max(1, len(dev) // 5)]]
    if not export(model, texts, setting.beam, folder / "bundle", console, tried_on(setting), examples):
        return None
    (folder / "error_analysis.txt").write_text(f"{analysis}\n", encoding="utf-8")
    console.print(f"{folder / 'error_analysis.txt'}: whose fault the wrong ones are")
    if isinstance(model, keras_seq.Transformer):
        picture = folder / "attention_heads.png"
        drawn = draw_heads(picture, model, texts, dev, best)
        console.print(f"{picture}: what each head looks at in '{drawn}'", markup=False)
    return Outcome(name, folder / "bundle", model.count_params(), seconds, epochs, translations)


def train_on(name: str, model: Translator, setting: Setting, console: Console) -> tuple[float, float]:
    """Trains a translator; the held-out loss that is shown is that of the first reference of each sentence.

    Returns:
        How many seconds and how many epochs that took.
    """
    options = setting.options
    batches, validation = pair_batches(setting, setting.corpus.train, 64, 0.05), held_out_batches(setting)
    recipe, begin = RECIPES[name], time.perf_counter()
    train(
        model,
        batches,
        console,
        epochs=options.epochs,
        seconds=options.seconds,
        validation=validation,
        learning_rate=recipe.learning_rate(options.units),
        warm_up=recipe.warm_up,
        label_smoothing=0.1,
    )
    seconds = time.perf_counter() - begin
    console.print(f"{model.count_params():,} parameters, {seconds:.0f} s")
    return seconds, int(model.optimizer.iterations) / len(batches)


def pair_batches(
    setting: Setting, pairs: Sequence[tuple[str, str]], size: int, source_dropout: float = 0.0
) -> PairBatches:
    """Pairs of sentences in batches; arguments as those of `PairBatches`."""
    texts = setting.texts
    return PairBatches(
        [texts.encode_source(source) for source, _ in pairs],
        [texts.encode_target(target) for _, target in pairs],
        size,
        source_dropout=source_dropout,
        seed=setting.options.seed,
    )


def held_out_batches(setting: Setting) -> PairBatches:
    """The sentences that are held out, each with its first reference."""
    return pair_batches(setting, [(judged.source, judged.references[0]) for judged in setting.corpus.dev], 256)


def tried_on(setting: Setting) -> Quantizing:
    """What a quantised translator is tried on: BLEU of the exported search, on all sentences that are held out."""
    dev, texts = setting.corpus.dev, setting.texts
    sources = pad([texts.encode_source(judged.source) for judged in dev])

    def bleu(rows: Sequence[int], outputs: dict[str, Sequence[np.ndarray]]) -> float:
        return score([dev[row] for row in rows], [texts.decode_target(ids[0]) for ids in outputs["ids"]]).bleu

    return Quantizing(
        setting.options.quantize,
        {"model": held_out_batches(setting), "generate": (sources, np.arange(len(dev)))},
        {"generate": bleu},
        {f"{size} sentences": ("generate", sources[:size]) for size in (1, 16)},
    )


def export(
    model: Translator,
    texts: Texts,
    beam: keras_seq.BeamSearch,
    out: Path,
    console: Console,
    quantizing: Quantizing,
    examples: Sequence[str] = (),
) -> bool:
    """Writes the bundle, verified, with the decode loop inside; vocabularies and tokenizers go along.

    Args:
        model: The trained translator.
        texts: Its words.
        beam: The search.
        out: Where to write. The folder appears whole or, if anything goes wrong, not at all.
        console: Where to print.
        quantizing: The variant to write too, if any.
        examples: Sentences to offer on the page of a server or a site.

    Returns:
        Whether the bundle was written and computes what the model computes.
    """
    metadata = {"task": "translation", "examples": list(examples), **texts.to_metadata()}
    settings = {"metadata": metadata, "tokenizer": tokenizers(texts), **quantizing.settings()}
    try:
        with console.status("exporting") as status:
            report = export_model(model, out, generate=beam, **settings, overwrite=True, progress=status.update)
    except ExportError as error:
        print(error, file=sys.stderr)
        return False
    console.print(str(report), soft_wrap=True)
    quantizing.show(console, report)
    return True
