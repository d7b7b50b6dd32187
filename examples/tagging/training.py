"""Training with progress, and the model's labels for sentences."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tagging.batches import Batches
from tagging.features import Features, batches_by_length, pad
from tagging.sentence import Sentence

WORDS_PER_BATCH = 4096  # when tagging


def train(model: keras.Model, batches: Batches, epochs: int, console: Console, learning_rate: float = 3e-3) -> None:
    """Compiles and trains the tagger, showing every step.

    Args:
        model: The tagger.
        batches: The training batches.
        epochs: How often to read all of them.
        console: Where to show the progress.
        learning_rate: The first learning rate of Adam; it falls to zero along a cosine.
    """
    decay = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * len(batches))
    model.compile(
        keras.optimizers.Adam(decay, clipnorm=1.0),
        loss="sparse_categorical_crossentropy",  # both leave padding out, by the mask that arrives with the tags
        metrics=["accuracy"],
        jit_compile=False,  # the length changes from batch to batch, and XLA would compile for each
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        model.fit(batches, epochs=epochs, verbose=0, callbacks=[ShowProgress(progress)])


class ShowProgress(keras.callbacks.Callback):
    """Shows a bar for the running epoch, and leaves one line for each that is over.

    Args:
        progress: Where to show it.
    """

    def __init__(self, progress: Progress):
        super().__init__()
        self.progress = progress

    def on_epoch_begin(self, epoch, logs=None):
        """Opens the epoch's bar."""
        self.name = f"epoch {epoch + 1} of {self.params['epochs']}"
        self.bar = self.progress.add_task(self.name, total=self.params["steps"])

    def on_train_batch_end(self, batch, logs=None):
        """Moves the bar one step on."""
        self.progress.update(self.bar, completed=batch + 1, description=f"{self.name}  loss {logs['loss']:.3f}")

    def on_epoch_end(self, epoch, logs=None):
        """Puts a line in the bar's place."""
        self.progress.remove_task(self.bar)
        self.progress.console.print(f"  {self.name}: loss {logs['loss']:.4f}, accuracy {logs['accuracy']:.4f}")


def tag(model: keras.Model, features: Features, sentences: Sequence[Sentence]) -> list[list[str]]:
    """Labels sentences with the Keras model.

    Args:
        model: The tagger.
        features: What it is given.
        sentences: The sentences; labels are not looked at.

    Returns:
        One list of labels a sentence, in the order given.
    """
    predicted: list[list[str]] = [[] for _ in sentences]
    encoded = [features.encode(sentence.words) for sentence in sentences]
    lengths = [len(one.words) for one in encoded]
    for batch in batches_by_length(lengths, np.argsort(lengths, kind="stable"), WORDS_PER_BATCH):
        words, characters, _ = zip(*(encoded[index] for index in batch), strict=True)
        tags = np.asarray(model.predict_on_batch({"words": pad(words), "characters": pad(characters)}))
        for index, row in zip(batch, tags, strict=True):
            predicted[index] = features.decode(row, encoded[index])
    return predicted
