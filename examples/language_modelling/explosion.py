"""Gradients that explode, and what clipping does: one network trained twice, all the same but for the clipping."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

import keras_seq
from language_modelling.agreement import WORDS, sentences
from language_modelling.memory import BATCH_SIZE, FEATURES

DISTANCE, GAIN, UNITS = 20, 1.2, 32
BATCHES = 30  # of an epoch
CLIP = 1.0


@dataclass(frozen=True)
class Training:
    """How a training went.

    Args:
        losses: The mean loss of each epoch that was finished, in nats.
        norms: The largest norm of all gradients of each of them, before it is clipped.
        accuracies: The share of right verbs in each of them.
        failure: What stopped it; empty where nothing did.
    """

    losses: list[float]
    norms: list[float]
    accuracies: list[float]
    failure: str = ""


def train_exploding(clip: float | None, *, epochs: int, seed: int) -> Training:
    """Trains a network whose gradients explode.

    Its units are rectified, and at every word they repeat what they hold, a fifth larger: after 20 words that is 38
    times as large. (Those that repeat it as it is remember well: Le, Jaitly and Hinton 2015,
    https://arxiv.org/abs/1504.00941.)

    Args:
        clip: All gradients taken together are scaled down to this norm where theirs is larger (Pascanu, Mikolov and
            Bengio 2013, https://arxiv.org/abs/1211.5063); `None` to apply them as they are.
        epochs: How often to read 1,920 sentences.
        seed: The seed of weights and sentences.

    Returns:
        How it went.
    """
    keras.utils.set_random_seed(seed)
    repeating = keras.initializers.Identity(GAIN)
    network = keras.Sequential(
        [
            keras.Input((None,), dtype="int32", name="words"),
            keras.layers.Embedding(len(WORDS), FEATURES, embeddings_initializer="random_normal", name="vectors"),
            keras_seq.SimpleRNN(UNITS, activation="relu", recurrent_initializer=repeating, name="recurrent"),
            keras.layers.Dense(1, name="verb"),
        ]
    )
    network.compile(
        keras.optimizers.SGD(0.05, global_clipnorm=clip),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        jit_compile=False,
    )
    ids, verbs = sentences(BATCHES * BATCH_SIZE, DISTANCE, np.random.default_rng(seed))
    record = keras.callbacks.History()  # one that is still there if `fit` raises
    failure = ""
    try:
        callbacks = [keras_seq.GradientMonitor(), record]
        network.fit(ids, verbs, batch_size=BATCH_SIZE, epochs=epochs, verbose=0, callbacks=callbacks)
    except keras_seq.GradientError as error:
        variable = error.variable.rsplit("/", 1)[-1]
        failure = f"epoch {error.epoch + 1}, batch {error.batch + 1}: the gradient of {variable} is NaN or infinite"
    names = ("loss", "gradient_norm_max", "accuracy")
    return Training(*(record.history.get(name, []) for name in names), failure)
