"""Generates for many sources, by whatever generates for a batch: a bundle's graph, or the Keras model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from generating.padding import batches_in_order, pad


@dataclass(frozen=True)
class Generated:
    """What was generated for one source, the best hypothesis first.

    Args:
        ids: The ids of each hypothesis, with the end token where there is one.
        scores: What each is ranked by.
        log_probs: The logarithm of each one's probability.
        finished: Whether each came to its end before the limit.
        alignments: What each token of each attended to, `(tokens, source)`; empty where the model does not attend.
    """

    ids: list[np.ndarray]
    scores: list[float]
    log_probs: list[float]
    finished: list[bool]
    alignments: list[np.ndarray]


def generate(
    generate_batch: Callable[[np.ndarray], Mapping[str, np.ndarray | None]],
    sources: Sequence[np.ndarray],
    batch_size: int = 64,
) -> list[Generated]:
    """Generates for many sources, those alike in length together.

    Args:
        generate_batch: From ids `(batch, time)` to `ids`, `lengths`, `scores`, `log_probs`, `finished` and, where the
            model attends, `alignments`: `lambda source: predictor.predict({"source": source})` for a bundle.
        sources: The ids of each source.
        batch_size: How many at a time.

    Returns:
        What was generated, in the order of the sources.
    """
    generated: list[Generated | None] = [None] * len(sources)
    order = np.argsort([len(source) for source in sources], kind="stable")
    for batch in batches_in_order(order, batch_size):
        outputs = generate_batch(pad([sources[index] for index in batch]))
        outputs = {name: np.asarray(value) for name, value in outputs.items() if value is not None}
        for row, index in enumerate(batch):
            generated[index] = _one({name: value[row] for name, value in outputs.items()}, len(sources[index]))
    return generated


def _one(outputs: Mapping[str, np.ndarray], source_length: int) -> Generated:
    lengths = [length for length in outputs["lengths"] if length]  # a search may find fewer than were asked for
    alignments = zip(outputs.get("alignments", ()), lengths, strict=False)
    return Generated(
        [ids[:length] for ids, length in zip(outputs["ids"], lengths, strict=False)],
        *(outputs[name][: len(lengths)].tolist() for name in ("scores", "log_probs", "finished")),
        [weights[:length, :source_length] for weights, length in alignments],
    )
