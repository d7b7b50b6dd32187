"""A random language of the second order, and plain searches through it with Python lists."""

import itertools

import numpy as np
from keras import ops

from keras_seq import Decoding

VOCABULARY, START, END = 5, 1, 2
BATCH, MAX_LENGTH = 3, 4


def language(seed=0, sharpness=2.0, batch=BATCH, vocabulary=VOCABULARY):
    """Logits by source, token before the last, last token, next token: a state that is not reordered is found out."""
    return (np.random.default_rng(seed).normal(size=(batch, vocabulary, vocabulary, vocabulary)) * sharpness).astype(
        "float32"
    )


def decoding(logits, rows_per_source):
    """The language as a model's step; the alignment of a step is the token before the last, one-hot."""
    batch, vocabulary = logits.shape[:2]
    table = ops.convert_to_tensor(logits.reshape(-1, vocabulary))

    def step(tokens, state):
        index = (state["source"] * vocabulary + state["before"]) * vocabulary + tokens
        alignments = ops.one_hot(state["before"], vocabulary)
        return ops.take(table, index, axis=0), {"before": tokens, "source": state["source"]}, alignments

    source = np.repeat(np.arange(batch, dtype="int32"), rows_per_source)
    state = {"before": ops.zeros((batch * rows_per_source,), "int32"), "source": ops.convert_to_tensor(source)}
    return Decoding(step, state, batch, attends=True)


def next_log_probs(logits, sequence):
    """`(vocabulary,)`, after the tokens of `sequence`, for one source."""
    before, last = ([0, START, *sequence])[-2:]
    scores = logits[before, last].astype("float64")
    return scores - np.log(np.exp(scores - scores.max()).sum()) - scores.max()


def log_prob(logits, sequence):
    return sum(next_log_probs(logits, sequence[:t])[token] for t, token in enumerate(sequence))


def term(length, alpha, kind="power"):
    return length**alpha if kind == "power" else ((5 + length) / 6) ** alpha


def all_hypotheses(logits, alpha, kind="power", max_length=MAX_LENGTH, min_length=0, banned=()):
    """(score, sequence) of all there are, best first."""
    allowed = [token for token in range(logits.shape[0]) if token not in banned]
    found = []
    for length in range(1, max_length + 1):
        for sequence in itertools.product(allowed, repeat=length):
            ended = sequence[-1] == END
            if END in sequence[:-1] or (ended and length < min_length) or (not ended and length < max_length):
                continue
            found.append((log_prob(logits, sequence) / term(length, alpha, kind), sequence))
    return sorted(found, reverse=True)


def beam_search(logits, num_beams, alpha, max_length=MAX_LENGTH):
    """(score, sequence) of the beams at the end, best first: one source at a time, with lists."""
    beams = [(0.0, ())]
    for _ in range(max_length):
        candidates = []
        for value, sequence in beams:
            if sequence and sequence[-1] == END:
                candidates.append((value, sequence))
            else:
                candidates += [(value + v, (*sequence, i)) for i, v in enumerate(next_log_probs(logits, sequence))]
        beams = sorted(candidates, reverse=True)[:num_beams]
    return sorted(((value / term(len(sequence), alpha), sequence) for value, sequence in beams), reverse=True)


def sequences(hypotheses, source):
    """The hypotheses of one source as tuples of ids."""
    ids, lengths = (ops.convert_to_numpy(t)[source] for t in (hypotheses.ids, hypotheses.lengths))
    assert all((row[length:] == 0).all() for row, length in zip(ids, lengths, strict=True))
    return [tuple(row[:length].tolist()) for row, length in zip(ids, lengths, strict=True)]
