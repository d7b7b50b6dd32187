"""The translators that the demo knows, by the names of its command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import keras

import keras_seq
from generating.model import build_model
from generating.vocabulary import END_ID, START_ID
from translation.choices import NUM_HEADS
from translation.texts import Texts

Translator = keras_seq.Seq2Seq | keras_seq.Transformer


def build_attention(texts: Texts, options: argparse.Namespace, max_source_length: int) -> Translator:
    """An LSTM that reads in both directions, and one that writes with an eye on the source."""
    # On 26,000 pairs ten epochs reached BLEU 35.0 by greedy search so, and 23.9 with the attention before the cell.
    return _build_recurrent(texts, options, max_source_length, attend="after")


def build_plain(texts: Texts, options: argparse.Namespace, max_source_length: int) -> Translator:
    """The same without attention: all that the one that writes knows of the source is the state it begins with."""
    return _build_recurrent(texts, options, max_source_length, attend=None)


def build_transformer(texts: Texts, options: argparse.Namespace, max_source_length: int) -> Translator:
    """A transformer of three layers a side, half as wide as the recurrent decoder has units.

    At the full width a step costs it twice as much as the recurrent one, and five epochs were all that eight minutes
    had room for: BLEU 21 by beam search. It drops features at six places where that has two, hence a third of the
    dropout.
    """
    model = keras_seq.Transformer(
        source_vocabulary_size=len(texts.source),
        target_vocabulary_size=len(texts.target),
        features=options.units // 2,
        num_heads=NUM_HEADS,
        feed_forward_units=2 * options.units,
        num_encoder_layers=3,
        num_decoder_layers=3,
        dropout=options.dropout / 3,
        norm_first=True,
        start_id=START_ID,
        end_id=END_ID,
        max_source_length=max_source_length,
    )
    model.build([(None, None), (None, None)])
    return model


def _build_recurrent(
    texts: Texts, options: argparse.Namespace, max_source_length: int, attend: str | None
) -> keras_seq.Seq2Seq:
    return build_model(
        len(texts.source),
        len(texts.target),
        units=options.units,
        embedding_dim=options.units // 2,
        dropout=options.dropout,
        attend=attend,
        max_source_length=max_source_length,
    )


def _steady(units: int) -> float:
    return 3e-3


def _smaller_when_wider(units: int) -> float:
    return 0.03 * units**-0.5  # 1.9e-3 for 256; that it falls with the root of the width is the paper's rule


@dataclass(frozen=True)
class Recipe:
    """How one kind of translator is built and trained.

    Args:
        build: From words, the command line's options and the longest source to a model with weights.
        learning_rate: From the width to the highest learning rate.
        warm_up: Over how many steps the rate rises to it at most.
    """

    build: Callable[[Texts, argparse.Namespace, int], Translator]
    learning_rate: Callable[[int], float]
    warm_up: int


RECIPES = {
    "attention": Recipe(build_attention, _steady, warm_up=100),
    "plain": Recipe(build_plain, _steady, warm_up=100),
    "transformer": Recipe(build_transformer, _smaller_when_wider, warm_up=400),
}


def build(kind: str, texts: Texts, options: argparse.Namespace, max_source_length: int) -> Translator:
    """Builds a translator; its first weights follow from the seed in the options.

    Args:
        kind: Which, a key of `RECIPES`.
        texts: Its words.
        options: The command line's options.
        max_source_length: The longest source.

    Returns:
        The model.
    """
    keras.utils.set_random_seed(options.seed)
    return RECIPES[kind].build(texts, options, max_source_length)
