"""The error analysis of a beam search over translations: whose fault each wrong one is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import keras_seq
from generating.padding import batches_in_order, pad
from keras_seq.decoding.error_analysis import ErrorAnalysis, analyse_errors
from translation.corpus import Judged
from translation.models import Translator
from translation.search import Found
from translation.texts import Texts

BATCH = 128


def log_probs(model: Translator, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> np.ndarray:
    """The logarithms of P(y|x) of targets under the model, float64 `(targets,)`.

    Args:
        model: The model.
        sources: The ids of each source.
        targets: The ids of each target, with the end token.
    """
    values = np.zeros(len(sources))
    order = np.argsort([len(source) for source in sources], kind="stable")
    for batch in batches_in_order(order, BATCH):
        scores = model.log_prob(pad([sources[index] for index in batch]), pad([targets[index] for index in batch]))
        values[batch] = np.asarray(scores)
    return values


def analyse(
    model: Translator,
    texts: Texts,
    dev: Sequence[Judged],
    found: Sequence[Found],
    search: keras_seq.BeamSearch,
) -> ErrorAnalysis:
    """Puts each translation that equals no reference on the search or on the model.

    Of several references the one counts that the model scores highest by what the search maximises, among those that
    it can say at all.

    Args:
        model: The model that the search asked.
        texts: Its words.
        dev: The sentences with their references.
        found: What the search found, in the same order.
        search: The search.

    Returns:
        The analysis.
    """
    sources = [texts.encode_source(judged.source) for judged in dev]
    owners = [index for index, judged in enumerate(dev) for _ in judged.references]
    references = [reference for judged in dev for reference in judged.references]
    ids = [texts.encode_target(reference) for reference in references]
    values = log_probs(model, [sources[owner] for owner in owners], ids)
    reachable = [texts.can_say(target) and len(target) <= search.max_length for target in ids]
    ranks = np.asarray(search.score(values, np.array([len(target) for target in ids])))

    best = [
        max((i for i, owner in enumerate(owners) if owner == index), key=lambda i: (reachable[i], ranks[i]))
        for index in range(len(dev))
    ]
    hypotheses = [texts.decode_target(one.ids) for one in found]
    return analyse_errors(
        values[best],
        [one.log_prob for one in found],
        correct=[text in judged.references for text, judged in zip(hypotheses, dev, strict=True)],
        reference_lengths=[len(ids[index]) for index in best],
        hypothesis_lengths=[len(one.ids) for one in found],
        alpha=search.alpha,
        length_term=search.length_term,
        reachable=[reachable[index] for index in best],
        sources=[judged.source for judged in dev],
        references=[references[index] for index in best],
        hypotheses=hypotheses,
    )
