"""A bar for the running epoch, and a line for each that is over."""

from __future__ import annotations

import time

import keras
from rich.progress import Progress


class ShowProgress(keras.callbacks.Callback):
    """Shows how training goes.

    Args:
        progress: Where to show it.
        names: What the line of an epoch tells: a name in the logs, and what to call it.
    """

    def __init__(self, progress: Progress, names: dict[str, str]):
        super().__init__()
        self.progress = progress
        self.names = names

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self.start = time.perf_counter()

    def on_epoch_begin(self, epoch, logs=None):
        """Opens the epoch's bar."""
        self.name = f"epoch {epoch + 1}"
        self.bar = self.progress.add_task(self.name, total=self.params["steps"])

    def on_train_batch_end(self, batch, logs=None):
        """Moves the bar one step on."""
        self.progress.update(self.bar, completed=batch + 1, description=f"{self.name}  loss {logs['loss']:.3f}")

    def on_epoch_end(self, epoch, logs=None):
        """Puts a line in the bar's place."""
        self.progress.remove_task(self.bar)
        values = ", ".join(f"{title} {logs[name]:.4f}" for name, title in self.names.items() if name in logs)
        seconds = time.perf_counter() - self.start
        self.progress.console.print(f"  {self.name}: {values}, {seconds:.0f} s")
