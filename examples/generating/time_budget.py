"""Trains for a number of epochs or of seconds, whichever ends first, with a learning rate that ends at zero with it."""

from __future__ import annotations

import math
import time

import keras


class TimeBudget(keras.callbacks.Callback):
    """Lets the learning rate rise over the first steps and fall along a cosine, and ends the training in time.

    Args:
        learning_rate: The highest learning rate.
        steps: How many steps there are to be.
        seconds: How long they may take; no limit where `None`. The rate then falls with the clock where that runs
            faster, so a training that the clock ends is as finished as one that runs out of steps.
        warm_up: Over how many steps the rate rises.
    """

    def __init__(self, learning_rate: float, steps: int, seconds: float | None = None, warm_up: int = 100):
        super().__init__()
        self.learning_rate, self.steps, self.seconds, self.warm_up = learning_rate, steps, seconds, warm_up

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self.start, self.step = time.perf_counter(), 0

    def on_train_batch_begin(self, batch, logs=None):
        """Sets the learning rate of a step."""
        falling = 0.5 * (1 + math.cos(math.pi * min(1.0, self.progress())))
        rising = min(1.0, (self.step + 1) / self.warm_up)
        self.model.optimizer.learning_rate = self.learning_rate * rising * falling
        self.step += 1

    def on_train_batch_end(self, batch, logs=None):
        """Ends the training when its time is up."""
        if self.seconds is not None and time.perf_counter() - self.start >= self.seconds:
            self.model.stop_training = True

    def progress(self) -> float:
        """How much of the training is over, 0 at its beginning and 1 at its end."""
        elapsed = 0.0 if self.seconds is None else (time.perf_counter() - self.start) / self.seconds
        return max(self.step / self.steps, elapsed)
