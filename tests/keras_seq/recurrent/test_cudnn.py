"""The route to cuDNN, on machines without: the backend's kernel is replaced by one that notes how it is called."""

import keras
import numpy as np
import pytest
from keras.src import backend

import keras_seq
from tests.keras_seq.recurrent.cases import (
    BATCH,
    FEATURES,
    MASK,
    TIME,
    UNITS,
    assert_all_close,
    numpy,
    sequences,
    with_random_weights,
)

LAYERS = {"lstm": keras_seq.LSTM, "gru": keras_seq.GRU}


@pytest.fixture
def cudnn(monkeypatch):
    """Pretends that there is a GPU; gives the list of calls of the backend's kernels, each answered with ones."""
    calls = []

    def kernel(name):
        def run(inputs, *arguments, return_sequences=False, **kwargs):
            calls.append((name, numpy(inputs), kwargs))
            ones = keras.ops.ones((BATCH, TIME, UNITS))
            return ones[:, -1], ones, [ones[:, -1]] * (2 if name == "lstm" else 1)

        return run

    monkeypatch.setattr(backend, "cudnn_ok", lambda *args, **kwargs: True)
    for name in LAYERS:
        monkeypatch.setattr(backend, name, kernel(name))
    return calls


@pytest.mark.parametrize("kind", ["lstm", pytest.param("gru", marks=pytest.mark.backend("tensorflow", "torch"))])
def test_it_is_taken_where_the_arguments_allow(kind, cudnn):
    layer = with_random_weights(LAYERS[kind](UNITS, dropout=0.4, seed=3, go_backwards=True, return_sequences=True))
    assert layer.training_kernel() == keras_seq.KernelChoice("cudnn")
    x = sequences()
    np.testing.assert_array_equal(numpy(layer(x)), 1)
    layer(x, training=True)
    (name, inputs, arguments), (_, dropped, _) = cudnn
    assert name == kind
    assert not arguments.get("go_backwards", False)
    np.testing.assert_array_equal(inputs, x[:, ::-1])  # turned round beforehand, alike for every backend
    ratio = (dropped / inputs).round(4)
    np.testing.assert_array_equal(np.unique(ratio), [0, 1.6667])
    assert (ratio == ratio[:, :1]).all()  # the same features at every step
    assert layer.supports_jit == (backend.backend() != "tensorflow")


@pytest.mark.backend("jax")
def test_jax_has_none_for_the_gru(cudnn):
    assert "cuDNN kernel for the LSTM alone" in keras_seq.GRU(UNITS).training_kernel().reason


@pytest.mark.parametrize(
    ("layer", "masked", "reason"),
    [
        (lambda: keras_seq.LSTM(UNITS), True, "right-padded masks alone"),
        (lambda: keras_seq.LSTM(UNITS, use_cudnn=False), False, "use_cudnn=False"),
        (lambda: keras_seq.GRU(UNITS, use_bias=False), False, "cuDNN needs use_bias=True"),
        (lambda: keras_seq.GRU(UNITS, reset_after=False), False, "reset_after=False"),
        (lambda: keras_seq.GRU(UNITS, simplified=True), False, "without a reset gate"),
        (lambda: keras_seq.LSTM(UNITS, output_activation=None), False, "no output_activation"),
        (lambda: keras_seq.PeepholeLSTM(UNITS), False, "cuDNN has no peepholes"),
        (lambda: keras_seq.LSTM(UNITS, recurrent_dropout=0.1), False, "recurrent_dropout"),
    ],
)
def test_it_is_not_taken_where_it_would_compute_something_else(layer, masked, reason, cudnn):
    layer = with_random_weights(layer())
    kernel = layer.training_kernel(masked=masked)
    assert kernel.name != "cudnn"
    assert reason in kernel.reason
    layer(sequences(), mask=MASK if masked else None)
    assert not cudnn
    if not masked:  # which the layer cannot know beforehand
        assert layer.supports_jit


def test_a_portable_graph_is_traced_without_it(cudnn):
    layer = with_random_weights(keras_seq.LSTM(UNITS))
    with keras_seq.portable_kernels():
        layer(sequences())
    assert not cudnn


def test_the_loop_runs_where_the_kernel_refuses_at_run_time(cudnn, monkeypatch):
    def refuse(*args, **kwargs):
        raise NotImplementedError("bfloat16")

    layer = with_random_weights(keras_seq.LSTM(UNITS))
    monkeypatch.setattr(backend, "lstm", refuse)
    with keras_seq.portable_kernels():
        expected = numpy(layer(sequences()))
    assert_all_close([numpy(layer(sequences()))], [expected])
    layer.use_cudnn = True
    with pytest.raises(ValueError, match="cuDNN cannot run it here: the backend's cuDNN kernel refused: bfloat16"):
        layer(sequences())


@pytest.mark.parametrize("layer_class", LAYERS.values())
def test_use_cudnn_true_is_an_error_where_it_cannot_be(layer_class):
    layer = layer_class(UNITS, use_cudnn=True, name="strict")
    with pytest.raises(
        ValueError, match='`use_cudnn=True` was given to layer "strict", but cuDNN cannot run it here: no'
    ):
        layer(sequences())


@pytest.mark.parametrize(("layer_class", "name"), [(keras_seq.LSTM, "lstm"), (keras_seq.GRU, "gru")])
def test_bidirectional_runs_both_ways_at_once_unless_the_graph_is_to_be_portable(layer_class, name, monkeypatch):
    calls = []

    def both(inputs, *arguments, **kwargs):
        calls.append(kwargs)
        ones = keras.ops.ones((BATCH, UNITS))
        return 2 * [(ones, ones[:, None], [ones])]

    monkeypatch.setattr(backend, f"bidirectional_{name}", both)
    layer = with_random_weights(keras_seq.Bidirectional(layer_class(UNITS), merge_mode="sum"))
    x = sequences()
    np.testing.assert_array_equal(numpy(layer(x)), 2)
    assert len(calls) == 1
    with keras_seq.portable_kernels():
        assert numpy(layer(x)).max() < 2
    turned = with_random_weights(
        keras_seq.Bidirectional(layer_class(UNITS, go_backwards=True), backward_layer=layer_class(UNITS))
    )
    turned(x)
    peephole = with_random_weights(keras_seq.Bidirectional(keras_seq.PeepholeLSTM(UNITS)), features=FEATURES)
    peephole(x)
    assert len(calls) == 1
