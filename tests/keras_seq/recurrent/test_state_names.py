import pytest
from keras import layers

import keras_seq
from keras_seq.recurrent.state_names import state_names


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (keras_seq.SimpleRNN(2), ("h",)),
        (keras_seq.GRU(2), ("h",)),
        (keras_seq.LSTM(2), ("h", "c")),
        (keras_seq.PeepholeLSTMCell(2), ("h", "c")),
        (layers.GRU(2), ("h",)),
        (layers.LSTM(2), ("h", "c")),
        (layers.RNN(keras_seq.LSTMCell(2)), ("h", "c")),
        (layers.RNN([layers.GRUCell(2), layers.LSTMCell(2), layers.GRUCell(3)]), ("state_0", "state_1", "state_2")),
        (layers.SimpleRNNCell(2), ("h",)),
    ],
)
def test_states_have_the_names_of_the_equations(layer, names):
    assert state_names(layer) == names
