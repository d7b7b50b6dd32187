"""Many to one: a model that reads a text and names its label."""

from __future__ import annotations

import keras

import keras_seq
from classifying.pooling import MeanAndMax


def build(embedding: keras.layers.Embedding, num_labels: int, *, units: int, dropout: float) -> keras.Model:
    """Makes a classifier: word vectors, a GRU in both directions, the mean and the largest of its outputs, a softmax.

    The last output of a GRU would be the textbook's choice. With a few thousand texts to learn from, all outputs
    together are learnt from sooner: a word that matters need not be carried to the end.

    Args:
        embedding: The layer that gives each word its vector.
        num_labels: How many labels there are.
        units: Of the GRU, in each direction.
        dropout: The share of what is dropped of word vectors and of what is pooled.

    Returns:
        `(batch, time)` ids to `(batch, labels)` probabilities.
    """
    words = keras.Input((None,), dtype="int32", name="words")
    vectors = keras.layers.Dropout(dropout)(embedding(words))
    outputs = keras_seq.Bidirectional(keras_seq.GRU(units, return_sequences=True), name="reader")(vectors)
    pooled = keras.layers.Dropout(dropout)(MeanAndMax(name="pooled")(outputs))
    label = keras.layers.Dense(num_labels, activation="softmax", name="label")(pooled)
    return keras.Model(words, label, name="classifier")
