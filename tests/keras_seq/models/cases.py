"""Models of every shape, and a task small enough to be learnt in seconds: to write the source backwards."""

import keras
import numpy as np

import keras_seq

ROWS, TIME, SOURCE_IDS, TARGET_IDS, DIM, UNITS, FEATURES = 29, 5, 11, 13, 7, 17, 3
START, END = 1, 2


def whole(**kwargs):
    """An encoder's arguments where the decoder attends."""
    return {"return_sequences": True, "return_state": True, **kwargs}


def bidirectional(dtype=None):
    gru = keras_seq.GRU(UNITS, dtype=dtype, **whole())
    encoder = keras_seq.Bidirectional(gru, dtype=dtype)
    cell = keras_seq.GRUCell(UNITS, dtype=dtype)
    return encoder, keras_seq.AttentionDecoder(cell, keras_seq.BahdanauAttention(19, dtype=dtype))


def plain(dtype=None):
    encoder = keras_seq.LSTM(UNITS, return_state=True, dtype=dtype)
    return encoder, keras_seq.AttentionDecoder(keras_seq.LSTMCell(UNITS, dtype=dtype))


def stacked(dtype=None):
    encoder = keras_seq.StackedRNN((UNITS, 2), cell="gru", dtype=dtype, **whole())
    cells = [keras_seq.GRUCell(UNITS, dtype=dtype) for _ in range(2)]
    attention = keras_seq.LuongAttention("general", dtype=dtype)
    return encoder, keras_seq.AttentionDecoder(cells, attention, attend="after")


def one_to_many(dtype=None):
    return None, keras_seq.AttentionDecoder(keras_seq.PeepholeLSTMCell(UNITS, dtype=dtype))


def summed_up(dtype=None):
    return keras.layers.GRU(UNITS, dtype=dtype), keras_seq.AttentionDecoder(keras_seq.GRUCell(UNITS + 1, dtype=dtype))


# name: the encoder and the decoder, the model's other arguments, the kind of source
KINDS = {
    "bidirectional": (bidirectional, {}, "ids"),
    "plain": (plain, {}, "ids"),
    "stacked, tied": (stacked, {"tie_output": True, "embedding_dim": UNITS}, "ids"),
    "one to many": (one_to_many, {}, "vector"),
    "features": (bidirectional, {}, "features"),
    "summed up": (summed_up, {}, "ids"),
    "sampling, dropout": (bidirectional, {"sampling_probability": 0.25, "dropout": 0.1}, "ids"),
}


def make(kind, dtype=None, **kwargs):
    layers, arguments, source = KINDS[kind]
    return keras_seq.Seq2Seq(
        *layers(dtype),
        source_vocabulary_size=SOURCE_IDS if source == "ids" else None,
        target_vocabulary_size=TARGET_IDS,
        dtype=dtype,
        **{"embedding_dim": DIM, **arguments, **kwargs},
    )


def data(kind, rows=ROWS, seed=0):
    """Source and target, of mixed lengths."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, TIME + 1, rows)
    ids = random.integers(3, SOURCE_IDS, (rows, TIME)) * (np.arange(TIME) < lengths[:, None])
    target = np.zeros((rows, TIME + 1), "int32")
    for row, length in enumerate(lengths):
        target[row, : length + 1] = [*ids[row, :length][::-1], END]
    sources = {"ids": ids.astype("int32"), "features": np.eye(SOURCE_IDS, dtype="float32")[ids] * (ids > 0)[..., None]}
    sources["vector"] = random.normal(size=(rows, FEATURES)).astype("float32")
    return sources[KINDS[kind][2]], target


def one_late(target):
    return np.concatenate([np.full_like(target[:, :1], START), target[:, :-1]], axis=1)


def with_random_weights(model, source, target, seed=1):
    """A built model with every weight, the biases too, random."""
    model.build([source.shape, target.shape])
    random = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(random.normal(size=weight.shape, scale=0.5))
    return model


def numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))
