import keras
import pytest

import keras_seq
from keras_seq.export.padding import pad_candidates, padding_is_masked
from keras_seq.export.signature import model_signature
from keras_seq.export.tracing import keras_runner, output_specs
from tests.export.graphs import with_random_weights

pytestmark = pytest.mark.backend("tensorflow")

VOCABULARY, FEATURES, UNITS = 23, 3, 5


def padding_of(model):
    """The value that fills each input, or None where padding would change the answer."""
    with_random_weights(model)  # without biases, zeros pass through a recurrence as if they were masked
    signature = model_signature(model)
    run = keras_runner(model, signature)
    candidates = pad_candidates(model, signature)
    if not padding_is_masked(signature, run, output_specs(signature, run), candidates):
        return None
    return candidates


def words_model(*layers, mask_zero=True):
    ids = keras.Input((None,), dtype="int32", name="words")
    return keras.Sequential([ids, keras.layers.Embedding(VOCABULARY, FEATURES, mask_zero=mask_zero), *layers])


def test_embedding_that_masks_zero():
    model = words_model(keras_seq.Bidirectional(keras_seq.LSTM(UNITS, return_sequences=True)), keras.layers.Dense(2))
    assert padding_of(model) == {"words": 0}


def test_embedding_that_does_not_mask():
    assert padding_of(words_model(keras_seq.LSTM(UNITS), mask_zero=False)) is None


@pytest.mark.parametrize("value", [0.0, -7.0])
def test_value_of_masking(value):
    signal = keras.Input((None, FEATURES), name="signal")
    model = keras.Sequential([signal, keras.layers.Masking(value), keras_seq.GRU(UNITS)])
    assert padding_of(model) == {"signal": value}


def test_mask_as_an_input():
    signal, mask = keras.Input((None, FEATURES), name="signal"), keras.Input((None,), dtype="bool", name="mask")
    model = keras.Model([signal, mask], keras_seq.LSTM(UNITS)(signal, mask=mask))
    assert padding_of(model) == {"signal": 0.0, "mask": False}


def test_input_beside_a_masked_one_may_be_padded_with_anything():
    words, shapes = keras.Input((None,), dtype="int32", name="words"), keras.Input((None, FEATURES), name="shapes")
    embedded = keras.layers.Embedding(VOCABULARY, 2, mask_zero=True)(words)
    mask = keras.ops.not_equal(words, 0)
    x = keras.layers.Concatenate()([embedded, shapes])
    model = keras.Model([words, shapes], keras_seq.LSTM(UNITS)(x, mask=mask))
    assert padding_of(model) == {"words": 0, "shapes": 0.0}


@pytest.mark.filterwarnings("ignore:Layer 'conv1d:UserWarning")  # it destroys the mask: that is the point
def test_convolution_sees_the_padding_whatever_the_mask():
    model = words_model(
        keras.layers.Conv1D(FEATURES, 3, padding="same", name="conv1d"), keras_seq.LSTM(UNITS, return_sequences=True)
    )
    assert padding_of(model) is None


def test_layer_that_loses_the_mask():
    signal = keras.Input((None, FEATURES), name="signal")
    model = keras.Model(signal, keras_seq.GRU(UNITS)(keras.layers.Masking()(signal)[:, ::-1]))
    assert padding_of(model) is None


def test_average_over_time_without_a_mask():
    signal = keras.Input((None, FEATURES), name="signal")
    model = keras.Model(signal, keras.ops.mean(keras.layers.Masking()(signal), axis=1))
    assert padding_of(model) is None


def test_model_without_a_time_axis_pads_nothing():
    style = keras.Input((FEATURES,), name="style")
    assert padding_of(keras.Model(style, keras.layers.Dense(2)(style))) is None
