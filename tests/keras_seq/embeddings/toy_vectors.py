"""Vectors that the tests of this folder share."""

import numpy as np

from keras_seq.embeddings import WordVectors

FEATURES = 7


def random_vectors(num_words=53, features=FEATURES, seed=5):
    """Words `w0`, `w1`, … with vectors of uneven length."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(num_words, features)) * generator.uniform(0.2, 3, (num_words, 1))
    return WordVectors([f"w{number}" for number in range(num_words)], rows)


def gensim_vectors(vectors):
    """The same words and vectors as gensim holds them."""
    from gensim.models import KeyedVectors

    keyed = KeyedVectors(vectors.features)
    keyed.add_vectors(list(vectors.words), np.array(vectors.vectors))
    return keyed
