"""Our layers beside the Keras layers of the same name: arguments, weights, results, dropout, gradients."""

import inspect

import keras
import numpy as np
import pytest
from keras import layers

import keras_seq
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

TWINS = {
    "simple_rnn": (keras_seq.SimpleRNN, layers.SimpleRNN, {}),
    "gru": (keras_seq.GRU, layers.GRU, {}),
    "gru-reset_before": (keras_seq.GRU, layers.GRU, {"reset_after": False}),
    "lstm": (keras_seq.LSTM, layers.LSTM, {}),
}
CLASSES = [
    (getattr(keras_seq, name), getattr(layers, name))
    for name in ("SimpleRNN", "SimpleRNNCell", "GRU", "GRUCell", "LSTM", "LSTMCell", "Bidirectional")
]


def twins(variant, **kwargs):
    ours, stock, arguments = TWINS[variant]
    stock = with_random_weights(stock(UNITS, **arguments, **kwargs))
    ours = ours(UNITS, **arguments, **kwargs)
    ours.build((None, None, FEATURES))
    ours.set_weights(stock.get_weights())
    return ours, stock


@pytest.mark.parametrize(("ours", "stock"), CLASSES)
def test_it_is_an_instance_and_takes_the_same_arguments_in_the_same_order(ours, stock):
    assert issubclass(ours, stock)
    if "Cell" in ours.__name__ or ours is keras_seq.Bidirectional:
        return  # these hand their arguments on
    names, stock_names = (list(inspect.signature(layer.__init__).parameters) for layer in (ours, stock))
    assert [name for name in names if name in stock_names] == stock_names
    defaults, stock_defaults = (inspect.signature(layer.__init__).parameters for layer in (ours, stock))
    for name in stock_names[2:-1]:
        assert defaults[name].default == stock_defaults[name].default


@pytest.mark.parametrize("variant", TWINS)
def test_weights_can_be_exchanged_both_ways(variant):
    ours, stock = twins(variant)
    assert [weight.shape for weight in ours.weights] == [weight.shape for weight in stock.weights]
    assert [weight.name for weight in ours.weights] == [weight.name for weight in stock.weights]
    with_random_weights(ours, seed=5)
    stock.set_weights(ours.get_weights())
    x = sequences()
    assert_all_close([numpy(stock(x))], [numpy(ours(x))])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"go_backwards": True},
        {"dropout": 0.4, "seed": 3},
        {"dropout": 0.4, "recurrent_dropout": 0.3, "seed": 3},
        {"recurrent_dropout": 0.3, "seed": 3, "go_backwards": True},
        {"zero_output_for_mask": True},
    ],
    ids=lambda arguments: "-".join(arguments) or "plain",
)
@pytest.mark.parametrize("variant", TWINS)
def test_results_agree_in_training_with_and_without_a_mask(variant, arguments, kernel):
    ours, stock = twins(variant, return_sequences=True, return_state=True, **arguments)
    x = sequences()
    for mask in (None, MASK):
        with KERNELS[kernel]():
            received = numpy(ours(x, mask=mask, training=True))
        assert_all_close(received, numpy(stock(x, mask=mask, training=True)))


@pytest.mark.parametrize("variant", ["gru", "gru-reset_before", "lstm"])
def test_implementation_1_drops_the_inputs_of_each_gate_apart(variant):
    ours, stock = twins(variant, dropout=0.4, seed=3, implementation=1, use_cudnn=False)
    x = sequences()
    assert_all_close([numpy(ours(x, training=True))], [numpy(stock(x, training=True))])
    assert ours.get_config()["implementation"] == 1


def test_dropout_is_for_training_alone_and_anew_for_every_batch():
    ours, _ = twins("lstm", dropout=0.4, recurrent_dropout=0.3, seed=3)
    x = sequences()
    assert_all_close([numpy(ours(x))], [numpy(ours(x))], atol=0)
    assert np.abs(numpy(ours(x, training=True)) - numpy(ours(x, training=True))).max() > 0.01


def test_the_same_seed_gives_the_weights_and_the_dropout_of_keras():
    outputs = []
    for library in (keras_seq, layers):
        keras.utils.set_random_seed(7)
        first = library.GRU(UNITS, return_sequences=True, dropout=0.3)
        outputs.append(numpy(library.LSTM(UNITS, recurrent_dropout=0.3)(first(sequences(), training=True))))
    assert_all_close(outputs[:1], outputs[1:])


@pytest.mark.parametrize("mask", [None, MASK], ids=["unmasked", "masked"])
@pytest.mark.parametrize("variant", TWINS)
def test_gradients_agree_after_a_step_of_training(variant, mask):
    x, y = sequences(), sequences(6, features=UNITS)
    weights = []
    for layer in twins(variant, return_sequences=True):
        inputs = keras.Input((TIME, FEATURES))
        mask_input = keras.Input((TIME,), dtype="bool")
        model = keras.Model([inputs, mask_input], layer(inputs, mask=None if mask is None else mask_input))
        model.compile(keras.optimizers.SGD(1.0), loss="mse", jit_compile=keras.backend.backend() == "jax")
        model.train_on_batch([x, np.ones((BATCH, TIME), bool) if mask is None else mask], y)
        weights.append(layer.get_weights())
    assert_all_close(*weights)


@pytest.mark.parametrize("variant", TWINS)
def test_stateful_layers_go_on_where_they_stopped(variant):
    ours, stock = twins(variant)
    x = sequences()
    ours, stock = (
        type(layer).from_config({**layer.get_config(), "stateful": True, "name": "stateful"}) for layer in (ours, stock)
    )
    for layer in (ours, stock):
        layer.build(x.shape)
    ours.set_weights(with_random_weights_of(stock))
    for _ in range(2):
        assert_all_close([numpy(ours(x))], [numpy(stock(x))])
    assert_all_close(numpy([state.value for state in ours.states]), numpy([state.value for state in stock.states]))
    ours.reset_state()
    assert all(not numpy(state.value).any() for state in ours.states)


def with_random_weights_of(layer):
    random = np.random.default_rng(8)
    layer.set_weights([random.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer.get_weights()


def test_two_halves_with_the_states_handed_over_are_the_whole():
    for variant in TWINS:
        ours, _ = twins(variant, return_sequences=True, return_state=True)
        x = sequences()
        whole, *finals = numpy(ours(x))
        first, *middle = ours(x[:, :3])
        second, *last = ours(x[:, 3:], initial_state=middle)
        assert_all_close([np.concatenate(numpy([first, second]), axis=1), *numpy(last)], [whole, *finals])


def test_initial_state_as_a_positional_argument_as_a_keyword_and_as_symbolic_tensors():
    for variant in TWINS:
        ours, stock = twins(variant)
        x, state = sequences(), states(ours)
        expected = numpy(stock(x, initial_state=state))
        inputs = keras.Input((None, FEATURES))
        state_inputs = [keras.Input((UNITS,)) for _ in state]
        functional = keras.Model([inputs, *state_inputs], ours(inputs, initial_state=state_inputs))
        received = [ours(x, state), ours(x, initial_state=state), functional([x, *state])]
        assert_all_close(numpy(received), [expected] * 3)


def test_stock_bidirectional_and_time_distributed_take_our_layers():
    ours, stock = twins("gru", return_sequences=True)
    x = sequences()
    wrapped = [layers.Bidirectional(layer) for layer in (ours, stock)]
    for wrapper in wrapped:
        wrapper.build(x.shape)
    wrapped[0].set_weights(with_random_weights_of(wrapped[1]))
    assert_all_close(numpy([wrapped[0](x, mask=MASK)]), numpy([wrapped[1](x, mask=MASK)]))

    many = np.stack([sequences(seed) for seed in (11, 12)], axis=1)
    apart = layers.TimeDistributed(ours)(many)
    assert_all_close([numpy(apart)], [np.stack([numpy(stock(many[:, index])) for index in range(2)], axis=1)])


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_results_agree_with_pytorch(kind):
    torch = pytest.importorskip("torch", reason="PyTorch is an oracle here")
    ours, _ = twins(kind, return_sequences=True)
    kernel, recurrent_kernel, bias = ours.get_weights()
    if kind == "gru":  # PyTorch: r z n; here: z r h
        order = np.r_[UNITS : 2 * UNITS, :UNITS, 2 * UNITS : 3 * UNITS]
        theirs, biases = torch.nn.GRU(FEATURES, UNITS, batch_first=True), bias[:, order]
        kernel, recurrent_kernel = kernel[:, order], recurrent_kernel[:, order]
    else:  # PyTorch: i f g o, as here
        theirs, biases = torch.nn.LSTM(FEATURES, UNITS, batch_first=True), [bias, np.zeros_like(bias)]
    values = {
        "weight_ih_l0": kernel.T,
        "weight_hh_l0": recurrent_kernel.T,
        "bias_ih_l0": biases[0],
        "bias_hh_l0": biases[1],
    }
    theirs.load_state_dict({name: torch.tensor(np.ascontiguousarray(value)) for name, value in values.items()})
    x = sequences()
    with torch.no_grad():
        expected = theirs.cpu()(torch.tensor(x))[0].numpy()
    assert_all_close([numpy(ours(x))], [expected])


@pytest.mark.parametrize("layer_class", [keras_seq.SimpleRNN, keras_seq.GRU, keras_seq.LSTM, keras_seq.PeepholeLSTM])
def test_units_must_be_positive(layer_class):
    with pytest.raises(ValueError, match=r"`units`.*positive integer, got 0"):
        layer_class(0)


def test_regularisers_constraints_and_initialisers_reach_their_weights():
    layer = keras_seq.PeepholeLSTM(
        UNITS,
        kernel_initializer="ones",
        recurrent_initializer="zeros",
        bias_initializer=keras.initializers.Constant(0.5),
        unit_forget_bias=False,
        peephole_initializer=keras.initializers.Constant(0.25),
        kernel_regularizer="l2",
        peephole_regularizer=keras.regularizers.L1(1.0),
        recurrent_constraint="non_neg",
        peephole_constraint="non_neg",
    )
    layer.build((None, None, FEATURES))
    kernel, recurrent_kernel, bias, peepholes = layer.get_weights()
    assert kernel.min() == 1
    assert not recurrent_kernel.any()
    assert (bias == 0.5).all()
    assert (peepholes == 0.25).all()
    np.testing.assert_allclose(numpy(sum(layer.losses)), 0.01 * kernel.size + 0.25 * 3 * UNITS, rtol=1e-5)
    constrained = [weight.name for weight in layer.weights if weight.constraint is not None]
    assert constrained == ["recurrent_kernel", "peephole_kernel"]
    simplified = keras_seq.GRU(UNITS, simplified=True, bias_initializer="ones", kernel_regularizer="l2")
    simplified.build((None, None, FEATURES))
    assert (simplified.get_weights()[2] == 1).all()
    assert len(simplified.losses) == 1
