"""Translations by a model in several ways to search, in Keras."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import keras_seq
from generating.hypotheses import generate_all
from generating.padding import pad
from translation.corpus import Judged
from translation.models import Translator
from translation.texts import Texts


@dataclass(frozen=True)
class Found:
    """The best that a search found for one source.

    Args:
        ids: Its ids, with the end token where there is one.
        log_prob: The logarithm of its probability.
    """

    ids: np.ndarray
    log_prob: float


def search_name(search: keras_seq.Strategy) -> str:
    """What a search is called in the tables."""
    if isinstance(search, keras_seq.BeamSearch):
        return f"beam {search.num_beams}, alpha {search.alpha:g}"
    return "greedy"


def search_all(
    model: Translator, texts: Texts, dev: Sequence[Judged], beam: keras_seq.BeamSearch
) -> dict[str, list[Found]]:
    """Translates with greedy search, and with beam search without and with length normalisation.

    Args:
        model: The translator.
        texts: Its words.
        dev: The sentences.
        beam: The beam search with length normalisation.

    Returns:
        By the name of the search, what it found for each sentence; what `beam` found comes last.
    """
    limits = {"max_length": beam.max_length, "min_length": beam.min_length, "banned_ids": beam.banned_ids}
    searches = (keras_seq.Greedy(**limits), beam.replace(alpha=0.0), beam)
    sources = [texts.encode_source(judged.source) for judged in dev]
    return {
        search_name(search): generate_all(functools.partial(_search, model, search), sources) for search in searches
    }


def _search(model: Translator, search: keras_seq.Strategy, rows: Sequence[np.ndarray]) -> list[Found]:
    ids, lengths, _, log_probs = map(np.asarray, model.generate(pad(rows), search)[:4])
    return [Found(ids[row, 0, : lengths[row, 0]], float(log_probs[row, 0])) for row in range(len(rows))]
