"""The course's example of what a language model is for: "the apple and pear salad", or "the apple and pair salad"?"""

from __future__ import annotations

import itertools

import keras
import numpy as np

import keras_seq

FRUITS = ("apple", "cherry", "orange", "peach", "pear", "plum")
DISHES = ("cake", "juice", "pie", "salad", "tart")
THINGS = ("boots", "gloves", "scissors", "shoes", "socks", "trousers")
PEAR, PAIR = "the apple and pear salad", "the apple and pair salad"


def kitchen_sentences() -> list[str]:
    """Sentences about fruit and about pairs. None has apple, pear and salad together.

    Example:
        >>> len(kitchen_sentences()), kitchen_sentences()[0], kitchen_sentences()[-1]
        (231, 'the apple and cherry cake', 'the pair of trousers and the plum')
    """
    dishes = [f"the {a} and {b} {dish}" for a, b, dish in itertools.product(FRUITS, FRUITS, DISHES) if a != b]
    dishes = [sentence for sentence in dishes if not {"apple", "pear", "salad"} <= set(sentence.split())]
    pairs = [f"a pair of {thing}" for thing in THINGS]
    pairs += [f"the pair of {first} and {second}" for first, second in itertools.pairwise(THINGS)]
    both = [f"the {fruit} and a pair of {thing}" for fruit, thing in itertools.product(FRUITS, THINGS)]
    turned = [f"the pair of {thing} and the {fruit}" for fruit, thing in itertools.product(FRUITS, THINGS)]
    return dishes + pairs + both + turned


def train_kitchen_model(seed: int = 7, epochs: int = 25) -> keras_seq.LanguageModel:
    """Trains a small model of words on the sentences about fruit and pairs; a few seconds.

    Args:
        seed: Of the weights, and of the order of the sentences.
        epochs: How often to read them.

    Returns:
        The model, with its tokenizer.
    """
    keras.utils.set_random_seed(seed)
    sentences = kitchen_sentences()
    tokenizer = keras_seq.WordTokenizer.from_lines(sentences)
    model = keras_seq.LanguageModel(tokenizer=tokenizer, features=16, units=32)
    model.compile(keras.optimizers.Adam(1e-2), keras_seq.SequenceCrossentropy(), jit_compile=False)
    rows = tokenizer.encode(sentences, add_end=True)
    ids = np.zeros((len(rows), max(map(len, rows))), "int32")
    for row, values in zip(ids, rows, strict=True):
        row[: len(values)] = values
    before = np.concatenate([np.ones((len(ids), 1), "int32"), ids[:, :-1]], axis=1)
    model.fit(np.where(ids, before, 0), ids, batch_size=32, epochs=epochs, verbose=0)
    return model
