"""Every variant of every layer with a single cell against NumPy, and the choice of a kernel."""

import keras
import numpy as np
import pytest

import keras_seq
from tests.keras_seq.recurrent import oracle
from tests.keras_seq.recurrent.cases import (
    BATCH,
    FEATURES,
    KERNELS,
    MASK,
    TIME,
    UNITS,
    VARIANTS,
    assert_all_close,
    numpy,
    sequences,
    states,
    with_random_weights,
)


def make(variant, **kwargs):
    layer_class, arguments, step_of = VARIANTS[variant]
    layer = with_random_weights(layer_class(UNITS, **arguments, **kwargs))
    return layer, step_of(layer.get_weights())


def expected_of(step, x, initial_state, return_sequences, **kwargs):
    outputs, finals = oracle.run(step, x, initial_state, **kwargs)
    return [outputs if return_sequences else outputs[:, -1], *finals]


@pytest.mark.smoke
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_and_states_follow_the_equations_at_all_valid_steps_and_no_others(variant, kernel):
    layer, step = make(variant, return_sequences=True, return_state=True)
    x, initial_state = sequences(), states(layer)
    with KERNELS[kernel]():
        received = numpy(layer(x, initial_state=initial_state, mask=MASK, training=True))
    assert_all_close(received, expected_of(step, x, initial_state, True, mask=MASK))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("zero_output_for_mask", [True, False])
@pytest.mark.parametrize("variant", ["simple_rnn", "gru", "lstm-linear_output", "peephole_lstm"])
def test_backwards_reading_returns_outputs_in_the_order_of_reading(
    variant, zero_output_for_mask, return_sequences, kernel
):
    options = {"go_backwards": True, "zero_output_for_mask": zero_output_for_mask}
    layer, step = make(variant, return_sequences=return_sequences, return_state=True, **options)
    x, initial_state = sequences(), states(layer)
    with KERNELS[kernel]():
        received = numpy(layer(x, initial_state=initial_state, mask=MASK, training=True))
    assert_all_close(received, expected_of(step, x, initial_state, return_sequences, mask=MASK, **options))


@pytest.mark.parametrize("go_backwards", [True, False])
@pytest.mark.parametrize("zero_output_for_mask", [True, False])
def test_unrolling_changes_nothing(zero_output_for_mask, go_backwards):
    options = {"go_backwards": go_backwards, "zero_output_for_mask": zero_output_for_mask}
    for return_sequences in (True, False):
        layer, step = make("gru", unroll=True, return_sequences=return_sequences, return_state=True, **options)
        x, initial_state = sequences(), states(layer)
        received = numpy(layer(x, initial_state=initial_state, mask=MASK))
        assert_all_close(received, expected_of(step, x, initial_state, return_sequences, mask=MASK, **options))


@pytest.mark.parametrize("variant", VARIANTS)
def test_states_start_at_zero_and_a_single_step_is_enough(variant):
    layer, step = make(variant, return_state=True)
    for time in (1, TIME):
        x = sequences(time=time)
        zeros = [np.zeros((BATCH, size)) for size in layer.state_size]
        assert_all_close(numpy(layer(x)), expected_of(step, x, zeros, False))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_layer_is_its_cell_step_by_step(variant):
    layer, _ = make(variant, return_sequences=True, return_state=True)
    x, state = sequences(), states(layer)
    outputs, *finals = numpy(layer(x, initial_state=state))
    for t in range(TIME):
        output, state = layer.cell(x[:, t], state)
        np.testing.assert_allclose(numpy(output), outputs[:, t], atol=2e-6)
    assert_all_close(numpy(state), finals)


@pytest.mark.parametrize("variant", ["simple_rnn", "gru", "gru-simplified"])
def test_a_cell_takes_a_bare_state_and_gives_a_bare_state(variant):
    layer, step = make(variant)
    x, (state,) = sequences()[:, 0], states(layer)
    output, new_state = layer.cell(x, state)
    assert_all_close([numpy(output), numpy(new_state)], 2 * step(x, [state]))


@pytest.mark.parametrize("variant", ["simple_rnn", "gru-simplified", "peephole_lstm"])
def test_our_cells_run_in_keras_rnn_and_among_stacked_cells(variant):
    layer, step = make(variant, return_sequences=True)
    x = sequences()
    zeros = [np.zeros((BATCH, size)) for size in layer.state_size]
    expected, _ = oracle.run(step, x, zeros, mask=MASK)
    alone = keras.layers.RNN(layer.cell, return_sequences=True)
    np.testing.assert_allclose(numpy(alone(x, mask=MASK)), expected, atol=2e-6)

    above = keras.layers.LSTMCell(2)
    stacked = keras.layers.RNN([layer.cell, above], return_sequences=True)(x, mask=MASK)
    np.testing.assert_allclose(
        numpy(stacked), numpy(keras.layers.RNN(above, return_sequences=True)(expected, mask=MASK)), atol=2e-6
    )


def test_the_mask_of_an_embedding_reaches_the_layer_and_the_layers_behind():
    tokens = np.array([[5, 3, 0, 2, 0], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5]])
    embedding = keras.layers.Embedding(6, FEATURES, mask_zero=True)
    layer, step = make("peephole_lstm", return_sequences=True)
    embedded = embedding(tokens)
    outputs = layer(embedded)
    expected, _ = oracle.run(step, numpy(embedded), [np.zeros((3, UNITS))] * 2, mask=tokens != 0)
    np.testing.assert_allclose(numpy(outputs), expected, atol=2e-6)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(outputs._keras_mask), tokens != 0)


def test_a_mask_may_have_a_last_axis_of_one():
    layer, _ = make("lstm", return_sequences=True)
    x = sequences()
    assert_all_close([numpy(layer(x, mask=MASK[:, :, None]))], [numpy(layer(x, mask=MASK))], atol=0)


def test_integers_are_read_as_numbers():
    layer, step = make("gru")
    x = np.random.default_rng(3).integers(-2, 3, size=(BATCH, TIME, FEATURES))
    expected, _ = oracle.run(step, x, [np.zeros((BATCH, UNITS))])
    np.testing.assert_allclose(numpy(layer(x)), expected[:, -1], atol=2e-6)


def test_a_layer_made_from_a_cell_shares_its_weights():
    layer, _ = make("peephole_lstm", return_sequences=True)
    other = keras_seq.PeepholeLSTM.from_cell(layer.cell, go_backwards=True)
    assert other.cell is layer.cell
    x = sequences()
    np.testing.assert_allclose(numpy(other(x)), numpy(layer(x[:, ::-1]))[:, -1], atol=2e-6)
    with pytest.raises(TypeError, match=r"must be a keras_seq.LSTMCell to run in LSTM.*PeepholeLSTMCell"):
        keras_seq.LSTM.from_cell(layer.cell)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (lambda: keras_seq.LSTM(UNITS, unroll=True), "unroll=True"),
        (lambda: keras_seq.GRU(UNITS, recurrent_dropout=0.1), "recurrent_dropout"),
        (lambda: keras_seq.LSTM(UNITS, dropout=0.1, implementation=1), "implementation=1"),
        (lambda: keras_seq.PeepholeLSTM(UNITS, activation="relu"), "activation=relu"),
        (lambda: keras_seq.GRU(UNITS, recurrent_activation="hard_sigmoid"), "recurrent_activation=hard_sigmoid"),
        (lambda: keras_seq.LSTM(UNITS, output_activation="relu"), "output_activation"),
        (lambda: keras_seq.SimpleRNN(UNITS, activation="sigmoid"), "activation=sigmoid"),
    ],
)
def test_the_reason_for_the_loop_is_named(layer, reason):
    kernel = layer().training_kernel()
    assert kernel.name == "loop"
    assert reason in kernel.reason


@pytest.mark.backend("tensorflow")
@pytest.mark.parametrize(
    "variant", ["simple_rnn", "simple_rnn-relu", "gru", "gru-reset_before", "gru-simplified", "lstm", "peephole_lstm"]
)
def test_tensorflow_takes_the_fused_kernel_without_a_gpu(variant):
    layer_class, arguments, _ = VARIANTS[variant]
    layer = layer_class(UNITS, dropout=0.1, **arguments)
    if not hasattr(layer, "use_cudnn"):
        assert layer.training_kernel() == keras_seq.KernelChoice("fused", "Keras has no cuDNN kernel for SimpleRNN")
    assert layer.training_kernel(masked=True).name == "fused"
    with keras_seq.portable_kernels():
        assert layer.training_kernel() == keras_seq.KernelChoice("loop", "a portable graph was asked for")
    assert layer.training_kernel().name == "fused"


@pytest.mark.backend("jax", "torch")
def test_other_backends_say_that_they_have_no_fused_kernel():
    assert "for the TensorFlow backend" in keras_seq.PeepholeLSTM(UNITS).training_kernel().reason


@pytest.mark.backend("tensorflow")
@pytest.mark.parametrize("layer_class", [keras_seq.SimpleRNN, keras_seq.GRU, keras_seq.LSTM, keras_seq.PeepholeLSTM])
def test_a_model_exports_by_keras_own_means(layer_class, tmp_path):
    import tensorflow as tf

    model = keras.Sequential([keras.Input((None, FEATURES)), keras.layers.Masking(), layer_class(UNITS)])
    model.compile("sgd", "mse")
    model.fit(sequences(), np.zeros((BATCH, UNITS)), epochs=1, verbose=0)
    model.export(tmp_path / "saved_model", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "saved_model")
    served = loaded.serve(sequences())
    np.testing.assert_allclose(numpy(served), numpy(model(sequences())), atol=2e-6)
