"""How well models predict held-out text, and which of two sentences they hold for the likelier."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from language_modelling.ngrams import NgramModel
from language_modelling.streams import Windows, one_stream
from language_modelling.texts import Part

FLOORS = {"unigrams": 1, "trigrams": 3}  # by name, how many tokens an n-gram has
ROW, MAX_LOGITS = 256, 24_000_000  # of what a quantised model is tried on


@dataclass(frozen=True)
class Fit:
    """How well a text was predicted.

    Args:
        bits_per_character: All that stands in the file counted, so that models of characters and of words compare.
        perplexity: For each token, the ends of texts among them.
    """

    bits_per_character: float
    perplexity: float

    @classmethod
    def of(cls, nats: float, tokens: int, characters: int) -> Fit:
        """From what all tokens of a text together cost.

        Example:
            >>> Fit.of(10 * math.log(8), tokens=10, characters=15)
            Fit(bits_per_character=2.0, perplexity=8.0)
        """
        return cls(round(nats / math.log(2) / characters, 12), round(math.exp(nats / tokens), 12))


def fit_of_model(model: keras.Model, ids: np.ndarray, part: Part, batch_size: int, steps: int) -> Fit:
    """Judges a model by windows of a text; those at the front of a stream go without what came before.

    Args:
        model: Compiled with the metric of `models.metric` for this text.
        ids: The text's tokens, `(tokens,)`.
        part: The text.
        batch_size: How many streams to cut the text into, as many as in training.
        steps: How many tokens a window has.

    Returns:
        How well it was predicted.
    """
    result = model.evaluate(Windows(ids, batch_size, steps), verbose=0, return_dict=True)
    if "perplexity" in result:
        nats = math.log(result["perplexity"]) * len(ids)
    else:
        nats = result["bits_per_character"] * math.log(2) * part.characters
    return Fit.of(nats, len(ids), part.characters)


def held_out_rows(ids: np.ndarray, vocabulary_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a text for a model that begins each of them anew, as an exported one does.

    Args:
        ids: The text's tokens, `(tokens,)`.
        vocabulary_size: Of the model. The more words there are to choose from, the less of the text is taken, as all
            logits are held in memory.

    Returns:
        What stands before each token, and the tokens, both int32 `(rows, ROW)`; shorter where the text is.
    """
    steps = min(ROW, len(ids))
    rows = min(len(ids) // steps, max(1, MAX_LOGITS // vocabulary_size // steps))
    return Windows(ids[: rows * steps], rows, steps)[0]


def negative_bits(characters_per_token: float) -> Callable[[np.ndarray, np.ndarray], float]:
    """The metric of an exported model: bits per character, negative, so that more is better.

    Args:
        characters_per_token: Of the text.
    """

    def negative_bits_per_character(ids: np.ndarray, logits: np.ndarray) -> float:
        chosen = np.take_along_axis(logits, ids[..., np.newaxis], axis=-1)[..., 0].astype("float64")
        nats = np.logaddexp.reduce(logits, axis=-1, dtype="float64") - chosen
        return -float(nats.mean()) / math.log(2) / characters_per_token

    return negative_bits_per_character


def fit_of_ngrams(model: NgramModel, ids: np.ndarray, part: Part) -> Fit:
    """Judges a model that counts by a text."""
    return Fit.of(-model.log_probs(ids).sum(), len(ids), part.characters)


def sentence_log_probs(model: keras.Model, sentences: Sequence[str], batch_size: int = 64) -> np.ndarray:
    """The log-probability of each sentence under a model with a tokenizer, `(sentences,)`.

    Args:
        model: A language model of `keras_seq`.
        sentences: The sentences; those alike in length are computed together.
        batch_size: How many at a time.
    """
    result = np.empty(len(sentences))
    order = np.argsort([len(sentence) for sentence in sentences], kind="stable")
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        result[chosen] = np.asarray(model.log_prob([sentences[index] for index in chosen]))
    return result


def ngram_scorer(model: NgramModel, tokenizer: object) -> Callable[[Sequence[str]], np.ndarray]:
    """What `sentence_log_probs` is for a network, for a model that counts."""

    def log_probs(sentences: Sequence[str]) -> np.ndarray:
        return np.array([model.log_probs(one_stream(tokenizer, [sentence])).sum() for sentence in sentences])

    return log_probs
