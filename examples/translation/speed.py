"""How fast exported translators decode, beside each other in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from generating.hypotheses import generate_all
from keras_seq.serving import Generator

IDLE_SECONDS = 0.2  # threads of the one before spin for a while, and would take its cores from the next


def tokens_per_second(bundles: Mapping[str, Path], sources: Sequence[np.ndarray], rounds: int = 3) -> dict[str, float]:
    """Translates all sources with each bundle, in batches as `serve_translate.py` makes them.

    Args:
        bundles: The bundles by the names of their models.
        sources: The ids of each sentence.
        rounds: How often each has its turn, behind a first one that is not counted.

    Returns:
        By name, the tokens of the best translations, end tokens included, for each second of the whole: the median of
        the rounds.
    """
    rates: dict[str, list[float]] = {name: [] for name in bundles}
    generators = {name: Generator(bundle) for name, bundle in bundles.items()}
    for turn in range(rounds + 1):
        for name, generator in generators.items():
            time.sleep(IDLE_SECONDS)
            start = time.perf_counter()
            best = [hypotheses[0] for hypotheses in generate_all(generator.generate, sources)]
            seconds = time.perf_counter() - start
            if turn:
                rates[name].append(sum(len(found.ids) for found in best) / seconds)
    for generator in generators.values():
        generator.close()
    return {name: statistics.median(values) for name, values in rates.items()}
