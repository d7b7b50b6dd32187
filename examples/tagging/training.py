"""Training with progress, and the model's labels for sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tagging.batches import Batches
from tagging.features import Encoded, Features, batches_by_length, pad
from tagging.sentence import Sentence

WORDS_PER_BATCH = 4096  # when tagging
NO_WORD = -2  # in the place of a label; -1 is one that training never met


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
    for batch, inputs in _batches(encoded):
        tags = np.asarray(model.predict_on_batch(inputs))
        for index, row in zip(batch, tags, strict=True):
            predicted[index] = features.decode(row, encoded[index])
    return predicted


def judged_batches(
    features: Features, sentences: Sequence[Sentence]
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Labelled sentences as batches to judge an exported tagger by.

    Args:
        features: What the model is given.
        sentences: The sentences.

    Yields:
        Inputs, and labels `(batch, time)` where a word begins, whose first piece decides for all of it; `NO_WORD` at
        its other pieces and at padding.
    """
    encoded = [features.encode(sentence.words) for sentence in sentences]
    for batch, inputs in _batches(encoded):
        labels = np.full(inputs["words"].shape, NO_WORD, np.int32)
        for row, index in enumerate(batch):
            starts = encoded[index].starts
            labels[row, starts] = features.encode_labels(sentences[index].labels, encoded[index])[starts]
        yield inputs, labels


def words_right(labels: Iterable[np.ndarray], tags: Iterable[np.ndarray]) -> float:
    """The metric of a tagger: the share of words with the right label.

    Args:
        labels: Of each row those of `judged_batches`, `(time,)`.
        tags: Of each row the probabilities, `(time, labels)`.

    Example:
        >>> words_right([np.array([1, NO_WORD, 0])], [np.array([[0.2, 0.8], [0.7, 0.3], [0.1, 0.9]])])
        0.5
    """
    pairs = [(row[row != NO_WORD], given.argmax(-1)[row != NO_WORD]) for row, given in zip(labels, tags, strict=True)]
    return sum(int(np.sum(right == given)) for right, given in pairs) / sum(len(right) for right, _ in pairs)


def _batches(encoded: Sequence[Encoded]) -> Iterator[tuple[list[int], dict[str, np.ndarray]]]:
    """Sentences alike in length together: their indices, and the inputs."""
    lengths = [len(one.words) for one in encoded]
    for batch in batches_by_length(lengths, np.argsort(lengths, kind="stable"), WORDS_PER_BATCH):
        words, characters, _ = zip(*(encoded[index] for index in batch), strict=True)
        yield batch, {"words": pad(words), "characters": pad(characters)}
