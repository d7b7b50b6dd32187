"""How long a model's sequences may be: what it says itself, or the shortest table of positions in it."""

import keras
import pytest

import keras_seq
from keras_seq.export.battery import battery
from keras_seq.export.signature import model_signature
from keras_seq.export.tracing import keras_runner, output_specs
from keras_seq.serving.tensor_spec import TensorSpec
from tests.export.graphs import with_random_weights

pytestmark = pytest.mark.backend("tensorflow")

FEATURES = 3


def positions_model(*lengths):
    signal = x = keras.Input((None, FEATURES), name="signal")
    for length in lengths:
        x = keras_seq.LearnedPositionalEncoding(length)(x)
    return keras.Model(signal, x)


def test_the_shortest_table_of_positions_counts():
    assert model_signature(positions_model(31, 23, 29)).limits == {"time": 23}


def test_sines_have_no_end():
    signal = keras.Input((None, FEATURES))
    assert model_signature(keras.Model(signal, keras_seq.SinusoidalPositionalEncoding()(signal))).limits == {}


def test_positions_within_a_step_of_the_sequence_limit_nothing():
    words = keras.Input((None, 5, FEATURES), name="words")
    letters = keras.layers.TimeDistributed(positions_model(5))(words)
    assert model_signature(keras.Model(words, letters)).limits == {}


def test_a_model_that_says_itself_is_believed_as_far_as_it_has_such_dimensions():
    model = positions_model(31)
    model.size_limits = {"time": 7, "target": 5}
    assert model_signature(model).limits == {"time": 7}


@pytest.mark.parametrize("length", [1, 2, 3, 4, 13])
def test_cases_are_no_longer_than_the_limit_and_none_comes_twice(length):
    words = TensorSpec("words", "int32", ("batch", "time"), maximum=7)
    other = TensorSpec("other", "float32", ("batch", "other"))
    cases = battery([words, other], {"words": 0}, limits={"time": length, "other": 2})
    assert max(case.inputs["words"].shape[1] for case in cases) == length
    assert {case.inputs["other"].shape[1] for case in cases} == {2}
    assert len({case.label for case in cases}) == len(cases)


@pytest.mark.parametrize("length", [2, 3, 5, 11])
def test_dimensions_of_outputs_are_told_within_the_limit(length):
    model = with_random_weights(positions_model(length))
    signature = model_signature(model)
    (spec,) = output_specs(signature, keras_runner(model, signature))
    assert spec.shape == ("batch", "time", FEATURES)


def test_two_limited_dimensions_are_told_apart():
    signal, style = keras.Input((None, FEATURES), name="signal"), keras.Input((None, 2), name="style")
    model = keras.Model([signal, style], [keras.layers.ReLU(name="a")(signal), keras.layers.ReLU(name="b")(style)])
    model.size_limits = {"time": 5, "notes": 5}
    signature = model_signature(model, dynamic_dims={"style": {1: "notes"}})
    shapes = {spec.name: spec.shape for spec in output_specs(signature, keras_runner(model, signature))}
    assert shapes == {"a": ("batch", "time", FEATURES), "b": ("batch", "notes", 2)}
