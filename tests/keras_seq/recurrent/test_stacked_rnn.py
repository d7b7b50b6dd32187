import keras
import numpy as np
import pytest
from keras import layers

import keras_seq
from tests.keras_seq.recurrent import oracle
from tests.keras_seq.recurrent.cases import (
    BATCH,
    FEATURES,
    KERNELS,
    MASK,
    TIME,
    UNITS,
    assert_all_close,
    numpy,
    sequences,
    states,
    with_random_weights,
)

SIZES = (5, 2, 3)


def mixed_cells():
    return [
        keras_seq.PeepholeLSTMCell(SIZES[0]),
        layers.GRUCell(SIZES[1]),  # of Keras
        keras_seq.SimpleRNNCell(SIZES[2], activation="relu"),
    ]


@pytest.mark.smoke
@pytest.mark.parametrize("zero_output_for_mask", [True, False])
@pytest.mark.parametrize("go_backwards", [True, False])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_results_are_those_of_keras_rnn_over_the_same_cells(return_sequences, go_backwards, zero_output_for_mask):
    options = {
        "return_sequences": return_sequences,
        "go_backwards": go_backwards,
        "zero_output_for_mask": zero_output_for_mask,
    }
    stack = with_random_weights(keras_seq.StackedRNN(mixed_cells(), return_state=True, **options))
    stock = layers.RNN([layer.cell for layer in stack.layers], return_state=True, **options)
    x = sequences()
    h, c, *others = states(stack)
    if keras.backend.backend() == "jax":  # whose loop shows the initial state before the first valid step
        h, c, *others = (0 * state for state in (h, c, *others))
    for mask in (None, MASK):
        expected, *nested = stock(x, initial_state=[[h, c], *others], mask=mask)
        (last_h, last_c), *last_others = nested
        last_others = [state[0] if isinstance(state, (list, tuple)) else state for state in last_others]
        for kernel in KERNELS.values():
            with kernel():
                received = stack(x, initial_state=[h, c, *others], mask=mask, training=True)
            assert_all_close(numpy(received), numpy([expected, last_h, last_c, *last_others]))


@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("go_backwards", [True, False])
def test_residual_connections_join_from_the_second_layer_on(go_backwards, return_sequences):
    stack = with_random_weights(
        keras_seq.StackedRNN(
            (UNITS, 3),
            "lstm",
            cell_arguments={"output_activation": None},
            residual=True,
            return_state=True,
            go_backwards=go_backwards,
            return_sequences=return_sequences,
        )
    )
    steps = [oracle.lstm(layer.get_weights(), output_activation=oracle.linear) for layer in stack.layers]

    def step(x, states):
        """All layers as one cell; its output, the sum, stands before the states."""
        output, new_states = x, []
        for index, one in enumerate(steps):
            state = one(output, states[1 + 2 * index : 3 + 2 * index])
            output = state[0] if index == 0 else output + state[0]
            new_states += state
        return [output, *new_states]

    x, initial_state = sequences(), states(stack)
    outputs, (_, *finals) = oracle.run(
        step, x, [np.zeros((BATCH, UNITS)), *initial_state], mask=MASK, go_backwards=go_backwards
    )
    received = numpy(stack(x, initial_state=initial_state, mask=MASK))
    assert_all_close(received, [outputs if return_sequences else outputs[:, -1], *finals], atol=5e-6)


@pytest.mark.parametrize(
    ("cell", "layer_class", "names"),
    [
        ("simple_rnn", keras_seq.SimpleRNN, ("0.h", "1.h")),
        ("gru", keras_seq.GRU, ("0.h", "1.h")),
        ("lstm", keras_seq.LSTM, ("0.h", "0.c", "1.h", "1.c")),
        ("peephole_lstm", keras_seq.PeepholeLSTM, ("0.h", "0.c", "1.h", "1.c")),
        (keras_seq.GRUCell, keras_seq.GRU, ("0.h", "1.h")),
        (layers.LSTMCell, layers.RNN, ("0.h", "0.c", "1.h", "1.c")),
    ],
)
def test_each_kind_of_cell_runs_in_its_own_layer(cell, layer_class, names):
    stack = keras_seq.StackedRNN((UNITS, 2), cell, return_state=True)
    assert [type(layer) for layer in stack.layers] == [layer_class] * 2
    assert stack.state_names == names
    results = stack(sequences())
    assert [tuple(tensor.shape) for tensor in results] == [(BATCH, UNITS)] * (1 + len(names))


def test_a_cell_of_your_own_runs_in_keras_rnn():
    class Own(keras_seq.SimpleRNNCell):
        def step(self, projected, states, weights, recurrent_masks=None):
            output, states = super().step(projected, states, weights, recurrent_masks)
            return 2 * output, states

    stack = keras_seq.StackedRNN([Own(UNITS)])
    assert type(stack.layers[0]) is layers.RNN
    with_random_weights(stack)
    plain = keras_seq.StackedRNN([keras_seq.SimpleRNNCell(UNITS)])
    plain.build((None, None, FEATURES))
    plain.set_weights(stack.get_weights())
    assert_all_close(numpy([stack(sequences())]), [2 * numpy(plain(sequences()))])


def test_dropout_falls_between_the_layers_in_training_and_nowhere_else():
    stack = keras_seq.StackedRNN((UNITS, 2), "simple_rnn", dropout=0.5, seed=3, return_sequences=True)
    for layer in stack.layers:
        layer.build((None, None, FEATURES if layer is stack.layers[0] else UNITS))
        # Each layer is the identity for small numbers, but for the first, which makes them of the features.
        kernel, recurrent_kernel, bias = layer.get_weights()
        identity = np.full_like(kernel, 1e-3) if layer is stack.layers[0] else np.eye(UNITS)
        layer.set_weights([identity, 0 * recurrent_kernel, bias])
    stack.built = True
    x = np.ones((BATCH, 499, FEATURES), "float32")
    plain, dropped = numpy([stack(x), stack(x, training=True)])
    np.testing.assert_allclose(plain, 3e-3, rtol=1e-4)
    np.testing.assert_allclose(np.unique(dropped.round(5)), [0, 6e-3], atol=1e-6)
    assert abs((dropped == 0).mean() - 0.5) < 0.02
    assert 0 < (dropped[:, 0] != dropped[:, 1]).mean() < 1  # each step apart
    single = keras_seq.StackedRNN((UNITS, 1), "simple_rnn", dropout=0.5, return_sequences=True)
    assert_all_close(numpy([single(x, training=True)]), numpy([single(x)]), atol=0)


def test_stateful_stacks_go_on_where_they_stopped():
    x = sequences()
    kept = with_random_weights(keras_seq.StackedRNN(mixed_cells(), return_state=True))
    stateful = keras_seq.StackedRNN(mixed_cells(), stateful=True)
    assert stateful.states is None
    stateful.build(x.shape)
    stateful.set_weights(kept.get_weights())
    _, *state = kept(x)
    again, *state = kept(x, initial_state=state)
    stateful(x)
    assert_all_close(numpy([stateful(x)]), numpy([again]))
    assert_all_close(numpy([variable.value for variable in stateful.states]), numpy(state))
    stateful.reset_state()
    assert not any(numpy(variable.value).any() for variable in stateful.states)


def test_initial_states_may_be_symbolic_and_a_single_one_need_not_be_in_a_list():
    stack = with_random_weights(keras_seq.StackedRNN((UNITS, 1), "gru"))
    x, (state,) = sequences(), states(stack)
    inputs, state_input = keras.Input((None, FEATURES)), keras.Input((UNITS,))
    model = keras.Model([inputs, state_input], stack(inputs, initial_state=[state_input]))
    assert_all_close(numpy([model([x, state]), stack(x, state)]), numpy([stack(x, initial_state=[state])] * 2))


@pytest.mark.parametrize("return_state", [True, False])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_symbolic_shapes_and_masks_are_those_of_the_results(return_sequences, return_state):
    stack = keras_seq.StackedRNN(mixed_cells(), return_sequences=return_sequences, return_state=return_state)
    results, shapes = stack(sequences()), stack.compute_output_shape((BATCH, TIME, FEATURES))
    masks = stack.compute_mask(None, MASK)
    if not return_state:
        results, shapes, masks = [results], [shapes], [masks]
    assert [tuple(result.shape) for result in results] == [tuple(shape) for shape in shapes]
    assert [mask is MASK for mask in masks] == [return_sequences] + [False] * (len(results) - 1)


@pytest.mark.backend("tensorflow")
def test_the_kernel_is_the_slowest_of_all():
    stack = keras_seq.StackedRNN([keras_seq.GRUCell(UNITS), keras_seq.GRUCell(UNITS, recurrent_dropout=0.1)])
    assert stack.training_kernel() == keras_seq.KernelChoice("loop", 'layer "layer_1": recurrent_dropout')


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"cells": (0, 3)}, ValueError, r"two positive integers.*Received: cells=\(0, 3\)"),
        ({"cells": []}, ValueError, r"at least one cell. Received: cells=\[\]"),
        ({"cells": 3}, ValueError, "at least one cell. Received: cells=3"),
        ({"cells": (2, 3), "cell": "LSTM"}, ValueError, "simple_rnn, gru, lstm, peephole_lstm.*Received: cell='LSTM'"),
        ({"cells": (2, 3), "cell": keras_seq.GRUCell(2)}, TypeError, "put cells that exist into a list"),
        ({"cells": [keras_seq.GRU(2), "gru"]}, TypeError, r"`cells\[1\]` must be a recurrent cell"),
        ({"cells": [layers.StackedRNNCells([keras_seq.GRUCell(2)])]}, TypeError, "list its cells one by one"),
        (
            {"cells": [keras_seq.GRUCell(2), keras_seq.LSTMCell(3)], "residual": True},
            ValueError,
            r"same number of units. Received: \[2, 3\]",
        ),
        ({"cells": (2, 3), "dropout": 1.0}, ValueError, "less than 1. Received: dropout=1.0"),
        (
            {"cells": [keras_seq.GRUCell(2)], "cell_arguments": {"use_bias": False}},
            ValueError,
            "each cell of a list its own arguments",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        keras_seq.StackedRNN(**arguments)


def test_a_wrong_number_of_states_is_refused():
    stack = keras_seq.StackedRNN((UNITS, 2))
    with pytest.raises(ValueError, match=r"must hold 4 states, in the order 0.h, 0.c, 1.h, 1.c. Received: 1"):
        stack(sequences(), initial_state=np.zeros((BATCH, UNITS), "float32"))
