import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.export.errors import ExportError
from keras_seq.export.signature import model_signature, output_names

pytestmark = pytest.mark.backend("tensorflow")

FEATURES, UNITS = 3, 5


def described(signature):
    return [(spec.name, spec.dtype, spec.shape, spec.maximum) for spec in signature.inputs]


def test_functional_model():
    a = keras.Input((None, FEATURES), name="signal")
    b = keras.Input((7, 2), name="frames", dtype="float64")
    c = keras.Input((None, None, 2), name="image")
    y = keras_seq.LSTM(UNITS)(a)
    model = keras.Model([a, b, c], y)
    assert described(model_signature(model)) == [
        ("signal", "float32", ("batch", "time", FEATURES), None),
        ("frames", "float32", ("batch", 7, 2), None),
        ("image", "float32", ("batch", "time", "image_2", 2), None),
    ]


def test_dynamic_dimensions_can_be_named():
    a, b = keras.Input((None, 2), name="source"), keras.Input((None, 2), name="target")
    model = keras.Model([a, b], [a, b])
    signature = model_signature(model, dynamic_dims={"target": {1: "target_time"}})
    assert [spec.shape for spec in signature.inputs] == [("batch", "time", 2), ("batch", "target_time", 2)]
    with pytest.raises(ExportError, match=r"`dynamic_dims` names inputs \['other'\] .*It has: \['source', 'target'\]"):
        model_signature(model, dynamic_dims={"other": {1: "x"}})


def test_dict_inputs_are_called_by_their_keys_in_the_order_of_the_dict_flattened():
    inputs = {name: keras.Input((None, 2), name=name) for name in ("zebra", "ant")}
    model = keras.Model(inputs, {"y": inputs["zebra"] - 2 * inputs["ant"]})
    signature = model_signature(model)
    assert [spec.name for spec in signature.inputs] == ["ant", "zebra"]
    ant, zebra = np.ones((1, 3, 2), "float32"), np.full((1, 3, 2), 7, "float32")
    np.testing.assert_array_equal(signature.call(ant, zebra)["y"], np.full((1, 3, 2), 5))


def test_ids_are_bounded_by_the_embedding_that_each_input_goes_to():
    words, tags = keras.Input((None,), dtype="int32", name="words"), keras.Input((None,), dtype="int64", name="tags")
    count = keras.Input((1,), dtype="int32", name="count")
    first, second = keras.layers.Embedding(23, 5), keras.layers.Embedding(11, 5)
    model = keras.Model([words, tags, count], [first(words), first(tags) + second(tags), count])
    bounds = {spec.name: spec.maximum for spec in model_signature(model).inputs}
    assert (bounds["words"], bounds["tags"]) == (22, 10)


def test_sequential_model_built_by_a_call_takes_what_it_was_called_with():
    model = keras.Sequential([keras_seq.GRU(UNITS)])
    model(np.zeros((2, 7, FEATURES), "float32"))
    (spec,) = model_signature(model).inputs
    assert (spec.shape[0], spec.shape[-1]) == ("batch", FEATURES)


class Subclassed(keras.Model):
    def __init__(self, vocabulary=None):
        super().__init__(name="own")
        self.embedding = keras.layers.Embedding(vocabulary, FEATURES) if vocabulary else None
        self.recurrent = keras_seq.GRU(UNITS)

    def call(self, inputs):
        return self.recurrent(self.embedding(inputs) if self.embedding else inputs)


def test_subclassed_model_of_floats_has_batch_and_time_dynamic():
    model = Subclassed()
    model(np.zeros((2, 7, FEATURES), "float32"))
    assert described(model_signature(model)) == [("inputs", "float32", ("batch", "time", FEATURES), None)]


def test_subclassed_model_with_an_embedding_must_say_its_dtypes():
    model = Subclassed(23)
    model(np.zeros((2, 7), "int32"))
    with pytest.raises(
        ExportError, match=r"model 'own' is subclassed and has an Embedding.*input_signature=keras\.Inp"
    ):
        model_signature(model)
    signature = model_signature(model, keras.InputSpec(shape=(None, None), dtype="int32"))
    assert described(signature) == [("input_0", "int32", ("batch", "time"), 22)]


def test_several_arguments_of_unknown_shapes_are_refused():
    class TwoArguments(keras.Model):
        def __init__(self):
            super().__init__(name="two")
            self.head = keras.layers.Dense(2)

        def call(self, signal, style, training=False):
            return self.head(signal) + style

    model = TwoArguments()
    model(np.zeros((2, 3), "float32"), np.zeros((2, 2), "float32"))
    with pytest.raises(ExportError, match=r"'two' takes several arguments, \['signal', 'style'\].*input_signature="):
        model_signature(model)


def test_model_that_was_never_built_is_refused():
    with pytest.raises(ExportError, match=r"model 'own' was never built.*Call it once.*keras\.Input"):
        model_signature(Subclassed())
    with pytest.raises(ExportError, match="model 'empty' was never built"):
        model_signature(keras.Sequential([keras_seq.LSTM(2)], name="empty"))


@pytest.mark.parametrize("value", [None, "model.keras", 7])
def test_anything_but_a_model_is_refused(value):
    with pytest.raises(ExportError, match=f"`model` must be a keras.Model. Received: .*{type(value).__name__}"):
        model_signature(value)


def test_inputs_of_one_name_are_refused():
    a, b = keras.Input((None, 2), name="x"), keras.Input((None, 2), name="x")
    model = Subclassed()
    model(np.zeros((2, 7, FEATURES), "float32"))
    with pytest.raises(ExportError, match=r"several inputs named \['x'\]. Give each keras.Input a name of its own"):
        model_signature(model, [a, b])


def test_scalar_input_is_refused():
    model = Subclassed()
    model(np.zeros((2, 7, FEATURES), "float32"))
    with pytest.raises(
        ExportError, match="input 'input_0' is a scalar; the first axis of every input must be the batch"
    ):
        model_signature(model, keras.InputSpec(shape=()))


def test_outputs_of_one_layer_get_numbers():
    x = keras.Input((None, FEATURES))
    model = keras.Model(x, list(keras_seq.LSTM(UNITS, return_state=True, name="lstm")(x)))
    assert output_names(model, model.outputs) == ["lstm", "lstm_1", "lstm_2"]


def test_numbers_give_way_to_names_that_are_taken():
    x = keras.Input((None, FEATURES))
    y, h = keras_seq.GRU(UNITS, return_state=True, name="gru")(x)
    z = keras.layers.Dense(2, name="gru_1")(h)
    model = keras.Model(x, [y, h, z])
    assert output_names(model, model.outputs) == ["gru", "gru_2", "gru_1"]


def test_dict_outputs_are_called_by_their_keys():
    x = keras.Input((None, FEATURES))
    model = keras.Model(x, {"zebra": x, "ant": 2 * x})
    assert output_names(model, {"zebra": 1, "ant": 2}) == ["ant", "zebra"]
