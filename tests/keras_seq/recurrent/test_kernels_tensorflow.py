"""The TensorFlow kernels against an oracle without loop or layout tricks, in NumPy and differentiated by TensorFlow."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from keras_seq.recurrent.kernels import tensorflow as kernels
from keras_seq.recurrent.kernels import tensorflow_sequence

pytestmark = pytest.mark.backend("tensorflow")

BATCH, TIME, FEATURES, UNITS = 7, 11, 3, 5

# One row each: full, right padding, left padding, gaps, nothing valid, one valid step, padding around a gap.
MASK = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
        [1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0],
    ],
    dtype=bool,
)


# --- The oracle: the equations as in the literature, with `np` or `tf` for `xp` ---


def sigmoid(xp, x):
    return 1 / (1 + xp.exp(-x))


def lstm_step(xp, x, states, kernel, recurrent_kernel, bias, peepholes=None, *, linear_output=False):
    h, c = states
    z = x @ kernel + h @ recurrent_kernel + bias
    i, f, g, o = (z[:, gate * UNITS : (gate + 1) * UNITS] for gate in range(4))
    p_i, p_f, p_o = (0.0, 0.0, 0.0) if peepholes is None else (peepholes[0], peepholes[1], peepholes[2])
    i, f = sigmoid(xp, i + p_i * c), sigmoid(xp, f + p_f * c)
    c = f * c + i * xp.tanh(g)
    o = sigmoid(xp, o + p_o * c)
    return [o * (c if linear_output else xp.tanh(c)), c]


def gru_step(xp, x, states, kernel, recurrent_kernel, bias, *, reset_after=True):
    (h,) = states
    input_bias, recurrent_bias = (bias[0], bias[1]) if reset_after else (bias, np.zeros(3 * UNITS))
    x, zr, candidate = x @ kernel + input_bias, slice(0, 2 * UNITS), slice(2 * UNITS, None)
    gates = sigmoid(xp, x[:, zr] + h @ recurrent_kernel[:, zr] + recurrent_bias[zr])
    z, r = gates[:, :UNITS], gates[:, UNITS:]
    if reset_after:
        g = xp.tanh(x[:, candidate] + r * (h @ recurrent_kernel[:, candidate] + recurrent_bias[candidate]))
    else:
        g = xp.tanh(x[:, candidate] + (r * h) @ recurrent_kernel[:, candidate])
    return [z * h + (1 - z) * g]


def simplified_gru_step(xp, x, states, kernel, recurrent_kernel, bias):
    (h,) = states
    a = x @ kernel + h @ recurrent_kernel + bias
    z, g = sigmoid(xp, a[:, :UNITS]), xp.tanh(a[:, UNITS:])
    return [z * h + (1 - z) * g]


def rnn_step(xp, x, states, kernel, recurrent_kernel, bias, *, activation="tanh"):
    a = x @ kernel + states[0] @ recurrent_kernel + bias
    return [xp.tanh(a) if activation == "tanh" else xp.maximum(a, 0.0 * a)]


def oracle(case, xp, inputs, states, weights, mask=None, *, go_backwards=False, zero_output_for_mask=False):
    """Keras' rules for masks, step by step; `xp` is NumPy or TensorFlow."""
    order = range(inputs.shape[1])[::-1] if go_backwards else range(inputs.shape[1])
    output, outputs = 0.0 * states[0], []
    for t in order:
        new_states = case.step(xp, inputs[:, t], states, *weights, **case.step_options)
        if mask is None:
            output, states = new_states[0], new_states
        else:
            valid = mask[:, t, None]
            output = xp.where(valid, new_states[0], 0.0 * output if zero_output_for_mask else output)
            states = [xp.where(valid, new, old) for new, old in zip(new_states, states, strict=True)]
        outputs.append(output)
    return output, xp.stack(outputs, axis=1), states


class Case(NamedTuple):
    """A kernel, and what the oracle needs to follow it."""

    kernel: Callable
    step: Callable
    num_states: int
    gates: int
    bias_rows: int = 1
    peepholes: bool = False
    options: Mapping = MappingProxyType({})
    step_options: Mapping = MappingProxyType({})

    def run(self, inputs, states, weights, mask=None, **options):
        kernel, recurrent_kernel, bias, *peepholes = weights
        return self.kernel(
            inputs, *states, kernel, recurrent_kernel, bias, *peepholes, mask=mask, **self.options, **options
        )

    def draw(self, seed=0):
        rng = np.random.default_rng(seed)
        width = self.gates * UNITS
        shapes = [(FEATURES, width), (UNITS, width), (width,) if self.bias_rows == 1 else (self.bias_rows, width)]
        shapes += [(3, UNITS)] if self.peepholes else []
        inputs = rng.normal(size=(BATCH, TIME, FEATURES))
        states = [rng.normal(size=(BATCH, UNITS)) for _ in range(self.num_states)]
        return inputs, states, [0.5 * rng.normal(size=shape) for shape in shapes]


LINEAR, BEFORE, RELU = {"linear_output": True}, {"reset_after": False}, {"activation": "relu"}
CASES = {
    "lstm": Case(kernels.lstm, lstm_step, 2, 4),
    "lstm_linear_output": Case(kernels.lstm, lstm_step, 2, 4, options=LINEAR, step_options=LINEAR),
    "lstm_peepholes": Case(kernels.lstm, lstm_step, 2, 4, peepholes=True),
    "gru_reset_after": Case(kernels.gru, gru_step, 1, 3, bias_rows=2),
    "gru_reset_before": Case(kernels.gru, gru_step, 1, 3, options=BEFORE, step_options=BEFORE),
    "gru_simplified": Case(kernels.gru, simplified_gru_step, 1, 2, options={"simplified": True}),
    "rnn_tanh": Case(kernels.simple_rnn, rnn_step, 1, 1),
    "rnn_relu": Case(kernels.simple_rnn, rnn_step, 1, 1, options=RELU, step_options=RELU),
}
MODES = [
    pytest.param(mask, {"go_backwards": backwards, "zero_output_for_mask": zero}, id=name)
    for name, mask, backwards, zero in [
        ("no_mask", None, False, False),
        ("no_mask_backwards", None, True, False),
        ("mask", MASK, False, False),
        ("mask_backwards", MASK, True, False),
        ("mask_zero_output", MASK, False, True),
        ("mask_zero_output_backwards", MASK, True, True),
    ]
]
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_mode = pytest.mark.parametrize(("mask", "mode"), MODES)
some_modes = pytest.mark.parametrize(("mask", "mode"), [MODES[0], MODES[1], MODES[2], MODES[5]])


def assert_close(results, expected, tolerance=1e-10):
    results, expected = tf.nest.flatten(results), tf.nest.flatten(expected)
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(tf.cast(result, tf.float64), wanted, rtol=tolerance, atol=tolerance)


def results_and_gradients(run, inputs, states, weights):
    """What `run` gives, and the gradients of a loss that sees every output, the last output and every final state."""
    inputs, *rest = variables = [tf.convert_to_tensor(x) for x in (inputs, *states, *weights)]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        results = run(inputs, rest[: len(states)], rest[len(states) :])
        # A weight of its own for every number, so that none can be taken for another.
        flat = tf.concat([tf.reshape(x, [-1]) for x in tf.nest.flatten(results)], axis=0)
        loss = tf.reduce_sum(tf.sin(flat) * tf.cast(tf.linspace(0.1, 1.7, tf.size(flat)), flat.dtype))
    return results, tape.gradient(loss, variables)


# --- Values and gradients ---


@every_mode
@every_case
def test_values_equal_numpy(case, mask, mode):
    inputs, states, weights = case.draw()
    expected = oracle(case, np, inputs, states, weights, mask, **mode)
    assert_close(case.run(inputs, states, weights, mask, **mode), expected)


@some_modes
@every_case
def test_gradients_equal_those_of_tensorflow(case, mask, mode):
    arguments = case.draw()
    mask = None if mask is None else tf.constant(mask)
    expected = results_and_gradients(lambda *a: oracle(case, tf, *a, mask, **mode), *arguments)
    assert_close(results_and_gradients(lambda *a: case.run(*a, mask, **mode), *arguments), expected)


@every_case
def test_gradients_equal_differences(case):
    inputs, states, weights = case.draw()
    point, rng, delta = [inputs, *states, *weights], np.random.default_rng(1), 1e-5

    def loss(*variables):
        rest = list(variables[1:])
        return tf.reduce_sum(case.run(variables[0], rest[: len(states)], rest[len(states) :], MASK)[1] ** 2)

    variables = [tf.constant(x) for x in point]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        value = loss(*variables)
    gradients = tape.gradient(value, variables)
    for k, gradient in enumerate(gradients):
        direction = rng.normal(size=point[k].shape)
        ahead, behind = (
            loss(*[x + sign * delta * direction if k == j else x for j, x in enumerate(point)]) for sign in (1, -1)
        )
        slope = tf.reduce_sum(gradient * direction)
        np.testing.assert_allclose(slope, (ahead - behind) / (2 * delta), rtol=1e-6, atol=1e-6)


@every_case
def test_xla_agrees(case):
    arguments, mask = case.draw(), tf.constant(MASK)
    compiled = tf.function(lambda *a: results_and_gradients(lambda *b: case.run(*b, mask), *a), jit_compile=True)
    assert_close(
        compiled(*arguments), results_and_gradients(lambda *a: oracle(case, tf, *a, mask), *arguments), tolerance=1e-8
    )


@every_case
def test_batch_and_time_may_be_unknown(case):
    inputs, states, weights = case.draw()
    state = tf.TensorSpec([None, UNITS], tf.float64)

    @tf.function(input_signature=[tf.TensorSpec([None, None, FEATURES], tf.float64), [state] * case.num_states])
    def graph(inputs, states):
        outputs = case.run(inputs, states, weights)[1]
        assert outputs.shape.as_list() == [None, None, UNITS]
        return outputs

    whole = graph(inputs, states)
    assert_close(whole, oracle(case, np, inputs, states, weights)[1])
    assert_close(graph(inputs[:2, :1], [state[:2] for state in states]), whole[:2, :1])


@every_case
def test_static_shapes_are_kept_in_a_graph(case):
    inputs, states, weights = case.draw()

    @tf.function
    def graph(inputs):
        last_output, outputs, final_states = case.run(inputs, states, weights)
        assert last_output.shape == (BATCH, UNITS)
        assert outputs.shape == (BATCH, TIME, UNITS)
        assert all(state.shape == (BATCH, UNITS) for state in final_states)
        return outputs

    graph(tf.constant(inputs))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float16", 2e-2), ("bfloat16", 0.2)])
@every_case
def test_results_have_the_dtype_of_the_inputs(case, dtype, tolerance):
    inputs, states, weights = case.draw()
    weights = [0.6 * weight for weight in weights]
    expected = oracle(case, np, inputs, states, weights, MASK)

    narrow = [tf.cast(inputs, dtype), [tf.cast(x, dtype) for x in states], [tf.cast(x, tf.float32) for x in weights]]
    results = case.run(*narrow, MASK)
    assert {result.dtype for result in tf.nest.flatten(results)} == {tf.as_dtype(dtype)}
    assert_close(results, expected, tolerance)
    with tf.GradientTape() as tape:
        tape.watch(narrow)
        loss = tf.reduce_sum(tf.sin(case.run(*narrow, MASK)[1]))
    variables = tf.nest.flatten(narrow)
    for gradient, variable in zip(tape.gradient(loss, variables), variables, strict=True):
        assert gradient.dtype == variable.dtype
        assert np.isfinite(tf.cast(gradient, tf.float32)).all()


@pytest.mark.parametrize("name", ["lstm", "lstm_peepholes", "gru_reset_after", "gru_reset_before", "rnn_tanh"])
def test_a_missing_bias_is_a_bias_of_zero(name):
    case = CASES[name]
    inputs, states, (kernel, recurrent_kernel, bias, *peepholes) = case.draw()
    without = case.run(inputs, states, [kernel, recurrent_kernel, None, *peepholes])
    assert_close(without, case.run(inputs, states, [kernel, recurrent_kernel, 0 * bias, *peepholes]))


def test_peepholes_equal_tensorflows_own_op():
    case = CASES["lstm_peepholes"]
    inputs, states, weights = (tf.nest.map_structure(np.float32, x) for x in case.draw())
    states = [np.zeros_like(state) for state in states]

    def block_lstm(inputs, states, weights):
        kernel, recurrent_kernel, bias, peepholes = weights
        # Of its two versions the one whose registered gradient is its own; it has the gates in the order i c f o.
        w, b = (
            tf.concat([gates[0], gates[2], gates[1], gates[3]], axis=-1)
            for gates in (tf.split(x, 4, axis=-1) for x in (tf.concat([kernel, recurrent_kernel], axis=0), bias))
        )
        _, cell_states, _, _, _, _, outputs = tf.raw_ops.BlockLSTM(
            seq_len_max=TIME,
            x=tf.transpose(inputs, [1, 0, 2]),
            cs_prev=states[1],
            h_prev=states[0],
            w=w,
            wci=peepholes[0],
            wcf=peepholes[1],
            wco=peepholes[2],
            b=b,
            forget_bias=0.0,
            cell_clip=-1.0,
            use_peephole=True,
        )
        return outputs[-1], tf.transpose(outputs, [1, 0, 2]), [outputs[-1], cell_states[-1]]

    results, gradients = results_and_gradients(case.run, inputs, states, weights)
    expected, expected_gradients = results_and_gradients(block_lstm, inputs, states, weights)
    assert_close(results, expected, tolerance=1e-5)
    assert_close(gradients, expected_gradients, tolerance=1e-4)


@pytest.mark.parametrize("name", ["lstm_peepholes", "gru_reset_after", "rnn_tanh"])
def test_second_order_gradients(name):
    case = CASES[name]
    inputs, states, weights = case.draw()
    inputs = inputs[:, :3]

    def penalty_gradient(run, inputs):
        inputs = tf.convert_to_tensor(inputs)
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                loss = tf.reduce_sum(run(inputs)[1] ** 2)
            penalty = tf.reduce_sum(inner.gradient(loss, inputs) ** 2)
        return outer.gradient(penalty, inputs)

    expected = penalty_gradient(lambda x: oracle(case, tf, x, states, weights), inputs)
    assert_close(penalty_gradient(lambda x: case.run(x, states, weights), inputs), expected)


@every_case
def test_what_stands_at_masked_steps_counts_for_nothing(case):
    inputs, states, weights = case.draw()
    garbage = np.where(MASK[:, :, None], inputs, np.nan)
    assert_close(case.run(garbage, states, weights, MASK), case.run(inputs, states, weights, MASK))


def test_before_the_first_valid_step_the_output_is_zero_and_the_state_the_initial_one():
    case = CASES["lstm"]
    inputs, states, weights = case.draw()
    last_output, outputs, final_states = case.run(inputs, states, weights, MASK)
    assert not np.any(outputs[2, :6])
    assert not np.any(last_output[4])
    assert_close([state[4] for state in final_states], [state[4] for state in states])


# --- Calls ---


def test_one_graph_serves_every_batch_size_and_length():
    case = CASES["gru_simplified"]
    inputs, states, weights = case.draw()
    tensorflow_sequence._graph.cache_clear()
    for batch, time in [(7, 11), (7, 10), (6, 10), (5, 9), (1, 1)]:
        assert case.run(inputs[:batch, :time], [state[:batch] for state in states], weights)[1].shape[1] == time
    assert tensorflow_sequence._graph.cache_info().misses == 1


def test_layers_of_different_widths_do_not_meet_in_one_graph():
    rng = np.random.default_rng(0)
    for units in (5, 2, 3):
        shapes = [(7, 11, 3), (7, units), (7, units), (3, 4 * units), (units, 4 * units), (4 * units,), (3, units)]
        assert kernels.lstm(*[rng.normal(size=shape) for shape in shapes])[1].shape == (7, 11, units)


def test_an_unknown_activation_is_refused():
    inputs, states, weights = CASES["rnn_tanh"].draw()
    with pytest.raises(ValueError, match=r"must be 'tanh' or 'relu'. Received: activation='gelu'"):
        kernels.simple_rnn(inputs, *states, *weights, activation="gelu")
