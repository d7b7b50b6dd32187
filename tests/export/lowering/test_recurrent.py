"""Which layers are known to compute what their class says, and so may be replaced by a node."""

import keras
import pytest

import keras_seq
from keras_seq.export.errors import NotNativeError
from keras_seq.export.lowering.layer_note import layer_notes
from keras_seq.export.lowering.recurrent import native_cells, overridden_method

pytestmark = pytest.mark.backend("tensorflow")

FEATURES, UNITS = 3, 5


class Renamed(keras_seq.LSTM):
    """Changes nothing."""


class OwnCall(keras.layers.GRU):
    def call(self, sequences, initial_state=None, mask=None, training=False):
        return 2 * super().call(sequences, initial_state=initial_state, mask=mask, training=training)


class OwnLoop(keras_seq.GRU):
    def inner_loop(self, *args, **kwargs):
        return super().inner_loop(*args, **kwargs)


class BelowOwnCall(OwnCall):
    """Inherits what its parent computes."""


def built(layer):
    layer.build((None, None, FEATURES))
    return layer


@pytest.mark.parametrize("layer_class", [keras.layers.LSTM, keras_seq.LSTM, Renamed], ids=["keras", "keras_seq", "own"])
def test_layer_that_changes_nothing_is_native(layer_class):
    layer = built(layer_class(UNITS))
    assert overridden_method(layer) is None
    (cell,) = native_cells(layer, "name")
    assert (cell.operator, cell.name) == ("LSTM", "name")


@pytest.mark.parametrize(
    ("layer_class", "method"),
    [(OwnCall, "OwnCall.call"), (OwnLoop, "OwnLoop.inner_loop"), (BelowOwnCall, "OwnCall.call")],
)
def test_layer_that_computes_something_of_its_own_is_refused(layer_class, method):
    with pytest.raises(NotNativeError, match=rf"{method} is its own, so what it computes is unknown"):
        native_cells(built(layer_class(UNITS)), "name")


def test_cells_of_a_stack_are_numbered_from_the_input_upwards():
    layer = built(keras.layers.RNN([keras_seq.GRUCell(UNITS), keras.layers.LSTMCell(2)]))
    assert [(cell.operator, cell.name, cell.units) for cell in native_cells(layer, "deep")] == [
        ("GRU", "deep.0", UNITS),
        ("LSTM", "deep.1", 2),
    ]


def test_parts_of_a_wrapper_stand_in_its_own_note():
    x = keras.Input((None, FEATURES))
    both = keras_seq.Bidirectional(keras_seq.StackedRNN((UNITS, 2), cell="gru", return_sequences=True), name="both")
    model = keras.Model(x, keras_seq.LSTM(2, name="last")(both(x)))
    notes = {note.name: (note.lowering, note.operators) for note in layer_notes(model)}
    assert notes == {"both": ("native", {"GRU": 4}), "last": ("native", {"LSTM": 1})}


def test_layer_used_twice_has_one_note():
    a, b = keras.Input((None, FEATURES)), keras.Input((None, FEATURES))
    shared = keras_seq.GRU(UNITS, name="shared")
    assert [note.name for note in layer_notes(keras.Model([a, b], [shared(a), shared(b)]))] == ["shared"]
