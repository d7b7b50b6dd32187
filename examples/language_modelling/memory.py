"""How far back networks remember: recurrent networks that tell the form of a verb from a subject far in front of it."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

import keras_seq
from language_modelling.agreement import SUBJECT, WORDS, sentences

FEATURES, BATCH_SIZE, ROUND = 16, 64, 20  # steps after which the loss is looked at
JUDGED = 1000  # sentences that are not learnt from
LEARNT = 0.02  # a mean loss, in nats, under which nothing is left to learn


@dataclass(frozen=True)
class Outcome:
    """What became of one network at one distance.

    Args:
        gradient: How much the subject's vector matters to the loss before training, see `subject_gradient`.
        accuracy: The share of right verbs in new sentences after training; one half is guessing.
        steps: How many batches it was trained on.
    """

    gradient: float
    accuracy: float
    steps: int


def build_network(name: str, units: int, longest: int) -> keras.Sequential:
    """Builds a network that reads words and tells the verb's form: vectors, a recurrent layer, one logit.

    `"..., long memory"` sets the biases of the gates before training so that the units keep what they hold for 1 to
    `longest` words, each its own number (Tallec and Ollivier 2018, https://arxiv.org/abs/1804.11188, "chrono
    initialization"). The others have the initial weights of Keras: those of the recurrent kernel are orthogonal, a
    forget gate keeps sigmoid(1) = 0.73 of the state, an update gate one half.

    Args:
        name: One of `choices.NETWORKS`.
        units: The width of the recurrent layer.
        longest: The longest distance.

    Returns:
        The network, from ids `(batch, time)` to logits `(batch, 1)`, above 0 for "were".
    """
    kind = name.split(",")[0]
    layer = getattr(keras_seq, kind)(units, name="recurrent")
    vectors = keras.initializers.RandomNormal(stddev=1.0)
    network = keras.Sequential(
        [
            keras.Input((None,), dtype="int32", name="words"),
            keras.layers.Embedding(len(WORDS), FEATURES, embeddings_initializer=vectors, name="vectors"),
            layer,
            keras.layers.Dense(1, name="verb"),
        ]
    )
    if name != kind:
        bias = layer.weights[-1]
        bias.assign(_keeping_bias(kind, np.array(bias), units, longest))
    return network


def _keeping_bias(kind: str, bias: np.ndarray, units: int, longest: int) -> np.ndarray:
    # A gate that keeps the share k = sigmoid(b) of the state keeps it for about 1 / (1 - k) steps: b = log(steps - 1).
    keeps = np.log(np.random.default_rng(units).uniform(1, longest - 1, units))
    if kind == "GRU":
        bias[0, :units] = keeps  # the update gate; that of Keras keeps the state where it is 1
    else:
        bias[units : 2 * units] = keeps  # the forget gate,
        bias[:units] = -keeps  # and the input gate lets in what the other lets go
    return bias


def subject_gradient(network: keras.Sequential, ids: np.ndarray, verbs: np.ndarray) -> float:
    """How much the loss depends on the subject: the norm of its gradient with respect to the subject's vector.

    Args:
        network: As `build_network` makes it.
        ids: The sentences, `(count, time)`.
        verbs: The forms of their verbs, `(count,)`.

    Returns:
        The mean of the norms over the sentences.
    """
    vectors, recurrent, verb = network.layers
    with tf.GradientTape() as tape:
        read = vectors(ids)
        tape.watch(read)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(verbs, verb(recurrent(read))[:, 0])
    gradient = tape.gradient(losses, read)[:, SUBJECT]  # (count, features); no sentence depends on another
    return float(tf.reduce_mean(tf.norm(gradient, axis=-1)))


def remember(name: str, distance: int, *, longest: int, units: int, steps: int, seed: int) -> Outcome:
    """Trains a network on sentences with so many words between subject and verb, and judges it on new ones.

    Args:
        name: One of `choices.NETWORKS`.
        distance: How many words.
        longest: The longest distance of the experiment.
        units: The width of the recurrent layer.
        steps: How many batches of 64 sentences to learn from at most; fewer once there is nothing left to learn.
        seed: The seed of weights and sentences.

    Returns:
        What became of it.
    """
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    network = build_network(name, units, longest)
    judged = sentences(JUDGED, distance, random)
    gradient = subject_gradient(network, *judged)
    network.compile(
        keras.optimizers.Adam(3e-3, global_clipnorm=1.0),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,  # compiling would take longer than these few steps
    )
    taken = 0
    while taken < steps:
        batches = min(ROUND, steps - taken)
        loss = network.fit(*sentences(batches * BATCH_SIZE, distance, random), batch_size=BATCH_SIZE, verbose=0)
        taken += batches
        if loss.history["loss"][0] < LEARNT:
            break
    ids, verbs = judged
    told = np.asarray(network(ids))[:, 0] > 0
    return Outcome(gradient, float(np.mean(told == (verbs == 1))), taken)
