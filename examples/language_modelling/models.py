"""Tokenizers and models, as the command line asks for them."""

from __future__ import annotations

import argparse

import keras

import keras_seq
from language_modelling.choices import NUM_HEADS
from language_modelling.texts import START_ID, UNKNOWN_ID, TextCorpus

BANNED = (START_ID, UNKNOWN_ID)  # nobody wants to read them


def build_tokenizer(
    corpus: TextCorpus, level: str, max_words: int
) -> keras_seq.CharTokenizer | keras_seq.WordTokenizer:
    """Collects the characters or words of the texts to learn from that occur at least twice.

    Args:
        corpus: The texts.
        level: `"char"` or `"word"`.
        max_words: How many words to know at most; the others are unknown.

    Returns:
        The tokenizer. Capitals stay.
    """
    if level == "char":
        return keras_seq.CharTokenizer.from_lines(corpus.train.texts, min_count=2)
    split = "whitespace" if corpus.spaced else "words"
    return keras_seq.WordTokenizer.from_lines(
        corpus.train.texts, min_count=2, max_size=max_words, lowercase=False, split=split
    )


def build_model(
    options: argparse.Namespace, tokenizer: keras_seq.CharTokenizer | keras_seq.WordTokenizer
) -> keras_seq.LanguageModel | keras_seq.TransformerLM:
    """Builds the model.

    Args:
        options: The command line's options: `model`, `level`, `cell`, `units`, `layers` and `dropout`.
        tokenizer: Goes with the model.

    Returns:
        A `LanguageModel` that carries its state from window to window, or a `TransformerLM` a quarter as wide.
    """
    words = options.level == "word"
    if options.model == "transformer":
        width = options.units // 4  # with more, too few steps would fit into the time
        model = keras_seq.TransformerLM(
            vocabulary_size=tokenizer.vocabulary_size,
            features=width,
            num_heads=NUM_HEADS,
            feed_forward_units=4 * width,
            num_layers=options.layers or 4,
            dropout=options.dropout,
            position="rotary",
            tie_output=words,
            tokenizer=tokenizer,
        )
        model.build((options.batch_size, None))
        return model
    # The vectors of characters say little; those of words take most of the parameters, and serve both ends.
    model = keras_seq.LanguageModel(
        vocabulary_size=tokenizer.vocabulary_size,
        cell=options.cell,
        features=options.units // (2 if words else 4),
        units=options.units,
        num_layers=options.layers or 1,
        dropout=options.dropout,
        tie_output=words,
        stateful=True,
        tokenizer=tokenizer,
    )
    model.build((options.batch_size, None))
    # Keras begins with vectors near zero, 0.05 at most, of which a recurrent layer sees little at first: 200 steps on
    # Shakespeare reached a loss of 2.45, and with vectors of unit size 2.21. Those that serve both ends stay smaller.
    vectors = model.embedding.embeddings
    vectors.assign(keras.random.normal(vectors.shape, stddev=0.1 if words else 1.0))
    return model


def metric(level: str, characters_per_token: float) -> keras.metrics.Metric:
    """What the level is usually judged by: bits per character, or perplexity.

    Args:
        level: `"char"` or `"word"`.
        characters_per_token: Of the held-out text; that to learn from has nearly as many.
    """
    if level == "word":
        return keras_seq.Perplexity()
    return keras_seq.BitsPerCharacter(characters_per_token)
