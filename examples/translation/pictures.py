"""Which translation is drawn, and what of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import keras_seq
from generating.vocabulary import START_ID, UNKNOWN_ID
from translation.attention_heads import HeadMaps, draw_attention_heads
from translation.corpus import Judged
from translation.search import Found
from translation.texts import Texts

MOST_WORDS = 11  # of a sentence that is drawn, marks and the end token included


def draw_heads(
    path: Path, model: keras_seq.Transformer, texts: Texts, dev: Sequence[Judged], found: Sequence[Found]
) -> str:
    """Draws what the heads of encoder and decoder attend to in one of the held-out sentences.

    Args:
        path: The PNG file to write.
        model: The translator.
        texts: Its words.
        dev: The sentences with their references.
        found: What the search found for each.

    Returns:
        The sentence drawn.
    """
    index = choose(texts, dev, found)
    source, target = texts.encode_source(dev[index].source), np.asarray(found[index].ids)
    target_in = np.concatenate([[START_ID], target[:-1]]).astype("int32")  # each row predicts the token it is named by
    scores = model.attention_scores(source[None], target_in[None])
    read, written = (
        [words.tokens[token] for token in ids] for words, ids in ((texts.source, source), (texts.target, target))
    )
    encoder, cross = (np.stack([np.asarray(layer)[0] for layer in scores[kind]]) for kind in ("encoder", "cross"))
    kinds = [
        HeadMaps("encoder: each word of the source (a row) looks at the source", encoder, read, read),
        HeadMaps("decoder: each word to be written (a row) looks at the source", cross, written, read),
    ]
    draw_attention_heads(path, kinds, f"{dev[index].source}  \N{RIGHTWARDS ARROW}  {texts.decode_target(target)}")
    return dev[index].source


def choose(texts: Texts, dev: Sequence[Judged], found: Sequence[Found]) -> int:
    """The index of the sentence to draw: right, without unknown words, as long as fits; the first one if none is so."""

    def rank(index: int) -> tuple[bool, bool, int]:
        source, target = texts.encode_source(dev[index].source), found[index].ids
        longest = max(len(source), len(target))
        return (
            longest <= MOST_WORDS and UNKNOWN_ID not in source,
            texts.decode_target(target) in dev[index].references,
            longest,
        )

    return max(range(len(dev)), key=rank)
