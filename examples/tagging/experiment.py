"""One tagger from the first step to its bundle: built, trained, judged, exported, timed."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path

import keras
from rich.console import Console

from keras_seq.cli.timing import measure as time_calls
from keras_seq.export import ExportError, export_model
from keras_seq.serving import Predictor
from keras_seq.text import Tokenizer
from quantizing.quantizing import Quantizing
from tagging import latency
from tagging.batches import Batches
from tagging.corpus import Corpus
from tagging.features import Features
from tagging.latency import Inputs
from tagging.model import build_tagger
from tagging.scores import GroupScore, MostFrequentLabel, score_groups, score_labels
from tagging.terminal import heading, print_groups, print_labels, print_latencies
from tagging.training import judged_batches, tag, train, words_right

BATCH_SIZES, SENTENCE_LENGTH = (1, 32), 20
# What the server's page offers, by the task.
TO_TRY = {
    "python": [
        "for name in sorted(names):",
        "def area(self, radius): return pi * radius ** 2",
        'raise ValueError("empty")',
    ],
    "conllu": ["The dog barks at the mail carrier.", "Time flies like an arrow.", "They can fish."],
}
DROPOUT = {"lstm": 0.3, "transformer": 0.1}  # the transformer drops features between its layers as well


def learning_rate(name: str, units: int) -> float:
    """The first learning rate of a model; that of the transformer falls with the root of its width, as in the paper."""
    return 0.035 * units**-0.5 if name == "transformer" else 3e-3


@dataclass(frozen=True)
class Outcome:
    """What became of one tagger.

    Args:
        model: Its name on the command line.
        bundle: What was exported of it.
        parameters: How many it has.
        seconds: How long it was trained, the time to compile included.
        groups: Its accuracies.
    """

    model: str
    bundle: Path
    parameters: int
    seconds: float
    groups: list[GroupScore]


def run_experiment(
    name: str,
    corpus: Corpus,
    features: Features,
    tokenizers: Mapping[str, Tokenizer],
    options: argparse.Namespace,
    bundle: Path,
    console: Console,
) -> Outcome | None:
    """Takes one tagger the whole way.

    Args:
        name: What reads, a key of `tagging.model.READERS`.
        corpus: What to learn from and to be judged by.
        features: What it is given.
        tokenizers: By input, what makes that of a text.
        options: The command line's options.
        bundle: Where to write.
        console: Where to print.

    Returns:
        What became of it; None if the export failed or is not equal to the model, which is printed.
    """
    heading(console, f"Train ({name})")
    keras.utils.set_random_seed(options.seed)
    model = build_tagger(features, options.units, DROPOUT[name], name)
    begin = time.perf_counter()
    batches = Batches(features, corpus.train, seed=options.seed)
    train(model, batches, options.epochs, console, learning_rate(name, options.units))
    seconds = time.perf_counter() - begin
    console.print(f"{model.count_params():,} parameters, {seconds:.0f} s")

    heading(console, f"Judge on held-out words ({name})")
    predicted = tag(model, features, corpus.held_out)
    groups = score_groups(MostFrequentLabel(corpus.train), corpus.held_out, predicted)
    print_groups(console, groups)
    print_labels(console, score_labels([sentence.labels for sentence in corpus.held_out], predicted))

    heading(console, f"Export and verify ({name})")
    quantizing = Quantizing(
        options.quantize,
        list(judged_batches(features, corpus.held_out)),
        words_right,
        {title: ("model", inputs) for title, inputs in typical_batches(features, corpus).items()},
    )
    if not export(model, tokenizers, features.labels, corpus.task, bundle, console, quantizing):
        return None

    heading(console, f"Time ({name})")
    with console.status("exporting with Keras too, and timing"):
        latencies = latency.measure(model, bundle, list(typical_batches(features, corpus).values()))
    print_latencies(console, list(typical_batches(features, corpus)), [astuple(one) for one in latencies])
    return Outcome(name, bundle, model.count_params(), seconds, groups)


def export(
    model: keras.Model,
    tokenizers: Mapping[str, Tokenizer],
    labels: Sequence[str],
    task: str,
    out: Path,
    console: Console,
    quantizing: Quantizing,
) -> bool:
    """Writes the bundle, verified; tokenizers and labels go along, so that serving needs nothing else.

    Args:
        model: The trained tagger.
        tokenizers: By input, what makes that of a text.
        labels: What its answers mean.
        task: `python` or `conllu`.
        out: Where to write. The folder appears whole or, if anything goes wrong, not at all.
        console: Where to print.
        quantizing: The variant to write too, if any.

    Returns:
        Whether the bundle was written and computes what the model computes.
    """
    metadata = {"task": task, "examples": TO_TRY[task]}
    settings = {"tokenizer": tokenizers, "labels": labels, "metadata": metadata, **quantizing.settings()}
    try:
        with console.status("exporting") as status:
            report = export_model(model, out, **settings, overwrite=True, verify=True, progress=status.update)
    except ExportError as error:
        print(error, file=sys.stderr)
        return False
    console.print(str(report), soft_wrap=True)
    quantizing.show(console, report)
    return True


def typical_batches(features: Features, corpus: Corpus) -> dict[str, Inputs]:
    """The batches that are timed, by what the tables call them."""
    return {
        f"{size} x {SENTENCE_LENGTH} words": latency.typical_batch(features, corpus.held_out, size, SENTENCE_LENGTH)
        for size in BATCH_SIZES
    }


def time_bundles(
    outcomes: Sequence[Outcome], batches: Mapping[str, Inputs], rounds: int = 3
) -> dict[str, dict[str, float]]:
    """Times bundles beside each other.

    Args:
        outcomes: What was exported.
        batches: The inputs by their names.
        rounds: How many blocks of calls each bundle gets on each batch.

    Returns:
        By the name of the batch, then of the model, the median of a call in milliseconds.
    """
    predictors = {outcome.model: Predictor(outcome.bundle) for outcome in outcomes}
    times = {}
    for name, inputs in batches.items():
        calls = {model: partial(predictor.predict, inputs) for model, predictor in predictors.items()}
        timings = time_calls(calls, rounds=rounds)
        times[name] = {model: 1000 * timing.median_seconds for model, timing in timings.items()}
    for predictor in predictors.values():
        predictor.close()
    return times
