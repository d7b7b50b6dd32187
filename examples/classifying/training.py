"""Training a classifier, and its answers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from classifying.batches import TextBatches, pad

BATCH = 50
LEARNING_RATE = 1e-3
FEWEST_STEPS = 1200  # few texts are read more often


def train(
    model: keras.Model,
    ids: Sequence[Sequence[int]],
    classes: Sequence[int],
    console: Console,
    *,
    epochs: int,
    word_dropout: float,
    seed: int,
) -> None:
    """Compiles and trains. The learning rate falls to zero along a cosine: nothing has to be held out to stop in time.

    Args:
        model: The classifier.
        ids: One sequence of ids a text.
        classes: One class a text.
        console: Where to show the progress.
        epochs: How often to read the texts; more often where they are few.
        word_dropout: The share of words that are shown as unknown.
        seed: Of the order.
    """
    batches = TextBatches(ids, classes, BATCH, word_dropout=word_dropout, seed=seed)
    epochs = max(epochs, math.ceil(FEWEST_STEPS / len(batches)))
    steps = epochs * len(batches)
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=LEARNING_RATE, warmup_steps=steps // 20)
    model.compile(
        keras.optimizers.Adam(rate, clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        jit_compile=False,  # the length changes from batch to batch, and XLA would compile for each
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        model.fit(batches, epochs=epochs, verbose=0, callbacks=[StepBar(progress, steps)])


class StepBar(keras.callbacks.Callback):
    """Shows one bar for the whole training.

    Args:
        progress: Where to show it.
        steps: How many there are.
    """

    def __init__(self, progress: Progress, steps: int):
        super().__init__()
        self.progress = progress
        self.bar = progress.add_task("training", total=steps)

    def on_train_batch_end(self, batch, logs=None):
        """Moves the bar one step on."""
        self.progress.update(self.bar, advance=1, description=f"loss {logs['loss']:.3f}")


def probabilities(model: keras.Model, ids: Sequence[Sequence[int]]) -> np.ndarray:
    """The model's answers, `(texts, labels)`. All texts are padded alike: each new shape would be traced anew."""
    return model.predict(pad(ids), batch_size=256, verbose=0)
