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
    with_random_weights,
)

MERGE = {
    "concat": lambda y, y_rev: [np.concatenate([y, y_rev], axis=-1)],
    "sum": lambda y, y_rev: [y + y_rev],
    "mul": lambda y, y_rev: [y * y_rev],
    "ave": lambda y, y_rev: [(y + y_rev) / 2],
    None: lambda y, y_rev: [y, y_rev],
}
OTHER_UNITS = 2


def mixed(merge_mode, units=UNITS, backward_units=UNITS, go_backwards=False, **kwargs):
    """A peephole LSTM one way and a simplified GRU the other: two states, and one."""
    return with_random_weights(
        keras_seq.Bidirectional(
            keras_seq.PeepholeLSTM(units, go_backwards=go_backwards, **kwargs),
            merge_mode=merge_mode,
            backward_layer=keras_seq.GRU(backward_units, simplified=True, go_backwards=not go_backwards, **kwargs),
        )
    )


def expected_of(layer, x, initial_state, mask, return_sequences, merge_mode):
    weights = layer.get_weights()
    options = {"mask": mask, "zero_output_for_mask": return_sequences}
    y, finals = oracle.run(oracle.peephole_lstm(weights[:4]), x, initial_state[:2], **options)
    y_rev, finals_rev = oracle.run(
        oracle.gru_simplified(weights[4:]), x, initial_state[2:], go_backwards=True, **options
    )
    outputs = (y, y_rev[:, ::-1]) if return_sequences else (y[:, -1], y_rev[:, -1])
    return [*MERGE[merge_mode](*outputs), *finals, *finals_rev]


def states_of(units=UNITS, backward_units=UNITS):
    random = np.random.default_rng(1)
    return [random.normal(size=(BATCH, size)).astype("float32") for size in (units, units, backward_units)]


@pytest.mark.smoke
@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("merge_mode", MERGE)
def test_each_direction_skips_the_masked_steps_and_both_are_merged(merge_mode, return_sequences):
    layer = mixed(merge_mode, return_sequences=return_sequences, return_state=True)
    x, initial_state = sequences(), states_of()
    for kernel in KERNELS.values():
        with kernel():
            received = numpy(layer(x, initial_state=initial_state, mask=MASK, training=True))
        assert_all_close(received, expected_of(layer, x, initial_state, MASK, return_sequences, merge_mode))


@pytest.mark.parametrize("merge_mode", ["concat", None])
def test_the_two_layers_may_differ_in_size(merge_mode):
    layer = mixed(merge_mode, backward_units=OTHER_UNITS, return_sequences=True, return_state=True)
    x, initial_state = sequences(), states_of(backward_units=OTHER_UNITS)
    received = layer(x, initial_state=initial_state)
    assert_all_close(numpy(received), expected_of(layer, x, initial_state, None, True, merge_mode))
    shapes = layer.compute_output_shape((BATCH, TIME, FEATURES))
    assert [tuple(shape) for shape in shapes] == [tuple(tensor.shape) for tensor in received]


@pytest.mark.parametrize("merge_mode", ["sum", "mul", "ave"])
def test_merging_elements_of_different_sizes_is_refused(merge_mode):
    message = rf'`merge_mode="{merge_mode}"`.*same size. Received: 11 forwards and 2 backwards'
    with pytest.raises(ValueError, match=message):
        mixed(merge_mode, backward_units=OTHER_UNITS)


@pytest.mark.parametrize("return_state", [True, False])
@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("merge_mode", MERGE)
def test_symbolic_shapes_and_masks_are_those_of_the_results(merge_mode, return_sequences, return_state):
    layer = mixed(merge_mode, return_sequences=return_sequences, return_state=return_state)
    results = layer(sequences(), mask=MASK)
    symbolic = layer(keras.Input((None, FEATURES)))
    masks = layer.compute_mask(None, MASK)
    results, symbolic = (list(value) if isinstance(value, (list, tuple)) else [value] for value in (results, symbolic))
    masks = list(masks) if isinstance(masks, tuple) else [masks]
    assert len(results) == len(symbolic) == len(masks)
    outputs = 2 if merge_mode is None else 1
    for index, (result, tensor, mask) in enumerate(zip(results, symbolic, masks, strict=True)):
        assert tuple(result.shape)[2:] == tuple(tensor.shape)[2:]
        assert len(result.shape) == len(tensor.shape)
        assert (mask is MASK) == (return_sequences and index < outputs)


def test_the_layer_that_runs_forwards_may_be_the_second():
    swapped = mixed("concat", go_backwards=True, return_sequences=True)
    stock = layers.Bidirectional(
        keras_seq.PeepholeLSTM(UNITS, go_backwards=True, return_sequences=True),
        backward_layer=keras_seq.GRU(UNITS, simplified=True, return_sequences=True),
    )
    stock.build((BATCH, TIME, FEATURES))
    stock.set_weights(swapped.get_weights())
    assert_all_close(numpy([swapped(sequences(), mask=MASK)]), numpy([stock(sequences(), mask=MASK)]))
    x = sequences()
    y, _ = oracle.run(oracle.peephole_lstm(swapped.get_weights()[:4]), x, states_zero(2), go_backwards=True)
    y_rev, _ = oracle.run(oracle.gru_simplified(swapped.get_weights()[4:]), x, states_zero(1))
    assert_all_close(numpy([swapped(x)]), [np.concatenate([y, y_rev[:, ::-1]], axis=-1)])


def states_zero(count):
    return [np.zeros((BATCH, UNITS))] * count


@pytest.mark.parametrize("stock", [layers.SimpleRNN, layers.GRU, layers.LSTM])
@pytest.mark.parametrize("merge_mode", MERGE)
def test_results_are_those_of_keras_for_layers_of_one_kind(merge_mode, stock):
    ours, theirs = (
        wrapper(stock(UNITS, return_sequences=True, return_state=True), merge_mode=merge_mode)
        for wrapper in (keras_seq.Bidirectional, layers.Bidirectional)
    )
    with_random_weights(ours)
    theirs.build((BATCH, TIME, FEATURES))
    theirs.set_weights(ours.get_weights())
    x = sequences()
    assert_all_close(numpy(ours(x, mask=MASK)), numpy(theirs(x, mask=MASK)))


def test_a_stack_runs_both_ways_with_all_its_states():
    stack = keras_seq.StackedRNN(
        [keras_seq.LSTMCell(UNITS), keras_seq.GRUCell(OTHER_UNITS)], return_sequences=True, return_state=True
    )
    layer = with_random_weights(keras_seq.Bidirectional(stack))
    x = sequences()
    random = np.random.default_rng(1)
    sizes = 2 * (UNITS, UNITS, OTHER_UNITS)
    state = [random.normal(size=(BATCH, size)).astype("float32") for size in sizes]
    outputs, *finals = numpy(layer(x, initial_state=state, mask=MASK))
    forward = numpy(layer.forward_layer(x, initial_state=state[:3], mask=MASK))
    backward = numpy(layer.backward_layer(x, initial_state=state[3:], mask=MASK))
    assert_all_close([outputs], [np.concatenate([forward[0], backward[0][:, ::-1]], axis=-1)])
    assert_all_close(finals, [*forward[1:], *backward[1:]])
    assert not outputs[~MASK].any()
    assert layer.state_names == tuple(
        f"{direction}.{name}" for direction in ("forward", "backward") for name in ("0.h", "0.c", "1.h")
    )


def test_a_wrong_number_of_states_is_refused():
    layer = mixed("concat")
    with pytest.raises(
        ValueError, match=r"must hold 3 states, 2 of the forward layer, then 1 of the backward one. Rec"
    ):
        layer(sequences(), initial_state=states_of()[:2])


def test_stateful_layers_go_on_where_they_stopped():
    x = sequences()
    kept = with_random_weights(keras_seq.Bidirectional(keras_seq.LSTM(UNITS, return_state=True)), features=FEATURES)
    stateful = keras_seq.Bidirectional(keras_seq.LSTM(UNITS, stateful=True))
    assert stateful.states is None
    stateful.build(x.shape)
    stateful.set_weights(kept.get_weights())
    _, *state = kept(x)
    again, *_ = kept(x, initial_state=state)
    stateful(x)
    assert_all_close(numpy([stateful(x)]), numpy([again]))
    assert len(stateful.states) == 4
    stateful.reset_state()
    assert not any(numpy(state.value).any() for state in stateful.states)


@pytest.mark.backend("tensorflow")
def test_the_kernel_is_the_slower_of_the_two():
    unrolled = keras_seq.LSTM(UNITS, unroll=True, go_backwards=True, name="slow")
    layer = keras_seq.Bidirectional(keras_seq.LSTM(UNITS), backward_layer=unrolled)
    assert layer.training_kernel() == keras_seq.KernelChoice("loop", 'layer "slow": unroll=True')
    both = keras_seq.Bidirectional(keras_seq.LSTM(UNITS, unroll=True))
    assert both.training_kernel() == keras_seq.KernelChoice("loop", "unroll=True")
    stock = keras_seq.Bidirectional(layers.SimpleRNN(UNITS))
    assert stock.training_kernel() == keras_seq.KernelChoice("loop", "Keras runs this cell")


def test_layers_that_keras_refuses_are_refused():
    with pytest.raises(ValueError, match=r"Invalid merge mode. Received: max"):
        keras_seq.Bidirectional(keras_seq.LSTM(UNITS), merge_mode="max")
    with pytest.raises(ValueError, match="different `go_backwards` value"):
        keras_seq.Bidirectional(keras_seq.LSTM(UNITS), backward_layer=keras_seq.GRU(UNITS))
