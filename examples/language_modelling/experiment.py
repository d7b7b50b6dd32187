"""The steps of the demo: read, train, judge, choose, write, export."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.markup import escape
from tag import quiet_standard_error

import keras_seq
from keras_seq.export import ExportError, Tolerance, export_model
from language_modelling import terminal
from language_modelling.homophones import choose, find_swaps
from language_modelling.judging import (
    FLOORS,
    fit_of_model,
    fit_of_ngrams,
    held_out_rows,
    negative_bits,
    ngram_scorer,
    sentence_log_probs,
)
from language_modelling.kitchen import PAIR, PEAR, train_kitchen_model
from language_modelling.models import BANNED, build_model, build_tokenizer, metric
from language_modelling.ngrams import NgramModel
from language_modelling.samples import strategies, write
from language_modelling.streams import Windows, one_stream
from language_modelling.texts import TextCorpus
from language_modelling.training import train
from quantizing.quantizing import Quantizing

SWAPS = 300  # sentences in which a word is exchanged, at most
LENGTHS = {"char": 300, "word": 60}  # tokens of a sample
GENERATED, PROMPT = 32, 16  # texts that a quantised model goes on with, and how long they are
NAME = "this model"
# A network trained for long amplifies rounding from step to step: after 53 characters at random, logits of this demo's
# model differed by 1.7e-4 from one runtime to the next.
LOGITS = Tolerance(atol=1e-3, rtol=1e-4)


class Experiment:
    """One model from its text to its bundle. Its methods are the steps, to be called in their order.

    Args:
        options: The command line's options.
        corpus: What to learn from.
        console: Where to print.
    """

    def __init__(self, options: argparse.Namespace, corpus: TextCorpus, console: Console):
        self.options, self.corpus, self.console = options, corpus, console

    def read(self) -> None:
        """Collects the tokens, and counts n-grams."""
        self.tokenizer = build_tokenizer(self.corpus, self.options.level, self.options.max_words)
        self.train_ids, self.dev_ids = (
            one_stream(self.tokenizer, part.texts) for part in (self.corpus.train, self.corpus.dev)
        )
        size = self.tokenizer.vocabulary_size
        self.floors = {name: NgramModel(order, self.train_ids, size) for name, order in FLOORS.items()}
        unknown = np.mean(self.dev_ids == self.tokenizer.unknown_id)
        self.console.print(
            f"{self.corpus.description}: {len(self.train_ids):,} tokens to learn from, {len(self.dev_ids):,} held out, "
            f"{size:,} different ones; {unknown:.1%} of those held out are unknown"
        )
        self.prompt = self.options.prompt if self.options.prompt is not None else first_words(self.corpus.dev.texts)

    def train(self) -> None:
        """Builds and trains the model."""
        options = self.options
        keras.utils.set_random_seed(options.seed)
        self.model = build_model(options, self.tokenizer)
        self.console.print(self.model.describe(), markup=False)
        start = time.perf_counter()
        windows, held_out = (Windows(ids, options.batch_size, options.steps) for ids in (self.train_ids, self.dev_ids))
        train(
            self.model,
            windows,
            held_out,
            metric(options.level, self.corpus.dev.characters / len(self.dev_ids)),
            self.console,
            learning_rate=options.learning_rate,
            epochs=options.epochs,
            seconds=options.seconds,
        )
        steps, seconds = int(self.model.optimizer.iterations), time.perf_counter() - start
        self.console.print(
            f"{self.model.count_params():,} parameters, {steps:,} steps of {options.batch_size} x {options.steps} "
            f"tokens, {seconds:.0f} s"
        )

    def judge(self) -> None:
        """Sets the model beside the ones that count."""
        options, part = self.options, self.corpus.dev
        fits = {name: fit_of_ngrams(model, self.dev_ids, part) for name, model in self.floors.items()}
        fits[NAME] = fit_of_model(self.model, self.dev_ids, part, options.batch_size, options.steps)
        terminal.print_fits(self.console, fits, len(self.dev_ids))

    def choose(self) -> None:
        """Lets all models choose between words that sound alike, and a small one between a pear and a pair."""
        with self.console.status("comparing sentences"):
            scorers = {name: ngram_scorer(model, self.tokenizer) for name, model in self.floors.items()}
            scorers[NAME] = lambda sentences: sentence_log_probs(self.model, sentences)
            swaps = find_swaps(self.corpus.train.texts, self.corpus.dev.texts, SWAPS)
            chosen = {name: choose(scorer, swaps) for name, scorer in scorers.items()} if swaps else {}
        if swaps:
            margins, right = ({name: pair[index] for name, pair in chosen.items()} for index in (0, 1))
            terminal.print_choices(self.console, swaps, dict(reversed(margins.items())), right)
        else:
            self.console.print("The held-out text has no word that another sounds like.")
        with self.console.status("learning about fruit and pairs"):
            kitchen = train_kitchen_model(self.options.seed)
        counts = {word: sum(text.split().count(word) for text in self.corpus.train.texts) for word in ("pear", "pair")}
        sentences = [PEAR, PAIR]
        for title, log_probs in (
            ("A small model of 231 sentences about fruit and pairs of things:", sentence_log_probs(kitchen, sentences)),
            (
                f"{NAME.capitalize()}, whose text has “pear” {counts['pear']} and “pair” {counts['pair']} times:",
                sentence_log_probs(self.model, [sentence[0].upper() + sentence[1:] for sentence in sentences]),
            ),
        ):
            terminal.print_sentences(self.console, title, dict(zip(sentences, log_probs.tolist(), strict=True)))

    def write(self) -> None:
        """Samples in several ways."""
        for name, strategy in strategies(self.options.seed, LENGTHS[self.options.level]).items():
            terminal.print_sample(self.console, name, self.prompt, write(self.model, self.prompt, strategy))

    def export(self, out: Path) -> bool:
        """Writes the bundle, verified, with the decode loop and the tokenizer inside.

        Args:
            out: Where to write. The folder appears whole or, if anything goes wrong, not at all.

        Returns:
            Whether the bundle was written and computes what the model computes.
        """
        metadata = {"task": "language model", "level": self.options.level}
        quantizing = self._tried_on()
        try:
            with self.console.status("exporting") as status, quiet_standard_error():
                report = export_model(
                    self.model,
                    out,
                    generate=self._shipped(),
                    streaming=True,
                    tokenizer=self.tokenizer,
                    metadata=metadata,
                    tolerance=LOGITS,
                    overwrite=True,
                    progress=status.update,
                    **quantizing.settings(),
                )
        except ExportError as error:
            print(error, file=sys.stderr)
            return False
        self.console.print(escape(str(report)), soft_wrap=True)
        quantizing.show(self.console, report)
        return True

    def expected(self) -> list[dict[str, object]]:
        """What the model writes in Keras, for the other process to compare: prompts, settings, texts."""
        rows = []
        for prompt, settings in ((self.prompt, {}), (self.prompt, {"temperature": 0.5, "seed": 11}), ("", {"seed": 3})):
            found = self.model.generate([prompt], self._shipped().replace(**settings))
            text = self.tokenizer.decode(found.ids[0, 0, : int(found.lengths[0, 0])])
            rows.append({"prompt": prompt, "options": settings, "text": text})
        return rows

    def _tried_on(self) -> Quantizing:
        """What a quantised model is tried on: how well it predicts the held-out text, row by row."""
        before, ids = held_out_rows(self.dev_ids, self.tokenizer.vocabulary_size)
        return Quantizing(
            self.options.quantize,
            {"model": (before, ids), "generate": before[:GENERATED, :PROMPT]},
            {"model": negative_bits(self.corpus.dev.characters / len(self.dev_ids))},
            {f"{rows} x 100 tokens": ("model", before[:rows, :100]) for rows in (1, 16)},
        )

    def _shipped(self) -> keras_seq.Sampling:
        length = LENGTHS[self.options.level]
        return keras_seq.Sampling(temperature=0.8, seed=self.options.seed, max_length=length, banned_ids=BANNED)


def first_words(texts: list[str], count: int = 3) -> str:
    """The first words of the first text that has many.

    Example:
        >>> first_words(["= Lobster =", "The  European lobster is a lobster , which lives in the sea ."])
        'The  European lobster'
    """
    text = next((text for text in texts if len(text.split()) > 3 * count), texts[0])
    *words, rest = text.split(maxsplit=count)
    return text.removesuffix(rest).rstrip() if len(words) == count else text
