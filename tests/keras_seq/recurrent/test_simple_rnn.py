import keras_seq
from tests.keras_seq.recurrent.cases import UNITS


def test_the_seed_is_kept_in_the_config():
    layer = keras_seq.SimpleRNN.from_config(keras_seq.SimpleRNN(UNITS, dropout=0.1, seed=13).get_config())
    assert layer.cell.seed == 13


def test_there_is_no_use_cudnn_since_keras_has_none_here():
    assert not hasattr(keras_seq.SimpleRNN(UNITS), "use_cudnn")
