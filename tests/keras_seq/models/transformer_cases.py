"""Transformers of every sort, and searches through them that know of no cache."""

import keras
import numpy as np

from keras_seq import Decoding
from keras_seq.models import Transformer, TransformerLM

BATCH, TIME, TARGET_TIME, SOURCE_IDS, TARGET_IDS, START, END = 3, 5, 4, 11, 13, 1, 2

# What the models are made of, beside the size: positions, norms and networks of each sort, heads in groups.
KINDS = {
    "paper": {
        "features": 6,
        "num_heads": 2,
        "position": "sinusoidal",
        "norm": "layer",
        "norm_first": False,
        "activation": "relu",
    },
    "modern": {
        "features": 8,
        "num_heads": 4,
        "num_key_value_heads": 2,
        "position": "rotary",
        "norm": "rms",
        "norm_first": True,
        "activation": "swiglu",
        "tie_output": False,
    },
    "learned": {"features": 10, "num_heads": 5, "position": "learned", "activation": "gelu", "norm_first": True},
}


def transformer(kind="paper", dtype=None, **kwargs):
    limits = {"max_source_length": 7, "max_target_length": 9} if kind == "learned" else {}
    settings = {"feed_forward_units": 17, "num_encoder_layers": 1, "num_decoder_layers": 2, **KINDS[kind], **limits}
    sizes = {"source_vocabulary_size": SOURCE_IDS, "target_vocabulary_size": TARGET_IDS}
    return Transformer(dtype=dtype, **{**sizes, **settings, **kwargs})


def language_model(kind="modern", dtype=None, **kwargs):
    limits = {"max_length": 11} if kind == "learned" else {}
    settings = {"vocabulary_size": TARGET_IDS, "feed_forward_units": 17, "num_layers": 2, **KINDS[kind], **limits}
    return TransformerLM(dtype=dtype, **{**settings, **kwargs})


def with_random_weights(model, seed=1, scale=0.6):
    """A built model with every weight, biases and norms too, random: it decides sharply."""
    model.build()
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(size=weight.shape, scale=scale) for weight in model.get_weights()])
    return model


def ids(vocabulary, lengths, time, seed=0, end=False):
    """Rows of random ids, padded; with `end` each closed by the end token."""
    random = np.random.default_rng(seed)
    rows = random.integers(3, vocabulary, (len(lengths), time)) * (np.arange(time) < np.array(lengths)[:, None])
    if end:
        for row, length in zip(rows, lengths, strict=True):
            row[length - 1] = END
    return rows.astype("int32")


def sources():
    return ids(SOURCE_IDS, (5, 2, 4), TIME)


def targets():
    return ids(TARGET_IDS, (3, 4, 2), TARGET_TIME, seed=1, end=True)


def one_late(target):
    return np.concatenate([np.full_like(target[:, :1], START), target[:, :-1]], axis=1)


def numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def log_softmax(logits):
    logits = logits.astype("float64")
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def whole_logits(model, sequences, source=None, longest=12):
    """The logits behind sequences of tokens that are given as lists, from a call on all of them whole.

    `source` is one for all or a row each. The sequences are padded to one length, so that the model is traced once:
    what is behind a token has no part in it.
    """
    limit = model.max_target_length if source is not None else model.max_length
    read = np.zeros((len(sequences), limit or longest), "int32")
    for row, sequence in zip(read, sequences, strict=True):
        row[: len(sequence) + 1] = [START, *sequence]
    inputs = read if source is None else (np.broadcast_to(source, (len(read), TIME)), read)
    logits = numpy(model(inputs))[np.arange(len(read)), [len(sequence) for sequence in sequences]]
    logits[:, 0] = -1e9  # the padding is no token
    return logits


def plain_beam_search(model, num_beams, max_length, alpha, source=None, prompt=()):
    """(score, tokens) of one source or prompt, best first: Python lists, and the whole model at each step."""
    beams = [(0.0, [])]
    for _ in range(max_length):
        live = [beam for beam in beams if beam[1][-1:] != [END]]
        if not live:
            break
        log_probs = log_softmax(whole_logits(model, [[*prompt, *tokens] for _, tokens in live], source))
        candidates = [beam for beam in beams if beam[1][-1:] == [END]]
        for (value, tokens), row in zip(live, log_probs, strict=True):
            candidates += [(value + step, [*tokens, token]) for token, step in enumerate(row)]
        beams = sorted(candidates, reverse=True)[:num_beams]
    return sorted(((value / len(tokens) ** alpha, tokens) for value, tokens in beams), reverse=True)


def uncached(model, num_beams, source=None, prompts=None):
    """A decoding that reads everything again at each step; its state is the tokens so far."""
    given = [[token for token in row if token] for row in (prompts if source is None else [()] * len(source))]
    prefixes = [prefix for prefix in given for _ in range(num_beams)]

    def step(tokens, state):
        so_far = np.concatenate([state["tokens"], np.asarray(tokens)[:, None]], axis=1)
        written = [[*prefix, *row[1:]] for prefix, row in zip(prefixes, so_far.tolist(), strict=True)]
        logits = whole_logits(model, written, None if source is None else np.repeat(source, num_beams, axis=0))
        return keras.ops.convert_to_tensor(logits), {"tokens": keras.ops.convert_to_tensor(so_far)}

    return Decoding(step, {"tokens": keras.ops.zeros((len(prefixes), 0), "int32")}, len(given))


def sequences(hypotheses, row):
    """The hypotheses of one source as lists of ids."""
    found, lengths = (keras.ops.convert_to_numpy(tensor)[row] for tensor in (hypotheses.ids, hypotheses.lengths))
    return [tokens[:length].tolist() for tokens, length in zip(found, lengths, strict=True)]
