"""Training a model that generates, with progress."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import keras_seq
from generating.batches import PairBatches
from generating.progress import ShowProgress
from generating.time_budget import TimeBudget


def train(
    model: keras.Model,
    batches: PairBatches,
    console: Console,
    *,
    epochs: int,
    seconds: float | None = None,
    validation: PairBatches | None = None,
    learning_rate: float = 2e-3,
    warm_up: int = 100,
    label_smoothing: float = 0.0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> keras.callbacks.History:
    """Compiles and trains.

    Args:
        model: The model.
        batches: The training batches.
        console: Where to show the progress.
        epochs: How often to read all of them.
        seconds: How long to train at most, the time to compile included.
        validation: Batches to be judged by after each epoch. That every token is right with the right ones before it is
            exactly that greedy decoding gives the reference, so this costs no decoding.
        learning_rate: The highest learning rate of Adam.
        warm_up: Over how many steps the rate rises to that at most; a twentieth of all of them is enough.
        label_smoothing: How much of the probability is wanted for other tokens than the right one.
        callbacks: Further callbacks.

    Returns:
        The history.
    """
    model.compile(
        keras.optimizers.Adam(learning_rate, clipnorm=1.0),
        loss=keras_seq.SequenceCrossentropy(label_smoothing=label_smoothing),
        metrics=[keras_seq.SequenceAccuracy(name="exact")],
        jit_compile=False,  # the length changes from batch to batch, and XLA would compile for each
    )
    steps = epochs * len(batches)
    names = {"loss": "loss", "val_loss": "held-out loss", "val_exact": "held-out exact"}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        return model.fit(
            batches,
            epochs=epochs,
            verbose=0,
            validation_data=validation,
            callbacks=[
                TimeBudget(learning_rate, steps, seconds, warm_up=max(1, min(warm_up, steps // 20))),
                ShowProgress(progress, names),
                *callbacks,
            ],
        )
