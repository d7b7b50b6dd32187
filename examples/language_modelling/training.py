"""Trains a language model on windows of a long text, with progress."""

from __future__ import annotations

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import keras_seq
from generating.progress import ShowProgress
from generating.time_budget import TimeBudget
from language_modelling.streams import Windows

NAMES = {
    "loss": "loss",
    "bits_per_character": "bits per character",
    "perplexity": "perplexity",
    "val_bits_per_character": "held out",
    "val_perplexity": "held out",
}


def train(
    model: keras.Model,
    windows: Windows,
    held_out: Windows,
    metric: keras.metrics.Metric,
    console: Console,
    *,
    learning_rate: float,
    epochs: int,
    seconds: float,
) -> keras.callbacks.History:
    """Compiles and trains.

    Args:
        model: The model.
        windows: What to learn from.
        held_out: What to be judged by after every epoch.
        metric: What to judge by.
        console: Where to show the progress.
        learning_rate: The highest learning rate of Adam.
        epochs: How often to read all of it at most.
        seconds: How long to train at most, the time to compile and to judge included.

    Returns:
        The history.
    """
    model.compile(
        keras.optimizers.Adam(learning_rate, global_clipnorm=1.0),
        loss=keras_seq.SequenceCrossentropy(),
        metrics=[metric],
        jit_compile=False,  # XLA on a CPU is the slower here
    )
    steps = epochs * len(windows)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        return model.fit(
            windows,
            epochs=epochs,
            verbose=0,
            validation_data=held_out,
            callbacks=[
                TimeBudget(learning_rate, steps, seconds, warm_up=max(1, min(200, steps // 20))),
                ShowProgress(progress, NAMES),
            ],
        )
