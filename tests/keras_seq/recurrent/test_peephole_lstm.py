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


def block_lstm(x, h, c, kernel, recurrent_kernel, bias, peepholes, outputs_grad, h_grad, c_grad):
    """TensorFlow's own peephole LSTM: the results, and the gradients of what came in.

    Its gradient is called by name: the one that TensorFlow 2.21 has registered for `BlockLSTMV2` is that of the first
    version, which has the gates in another order.
    """
    import tensorflow as tf

    arguments = {
        "seq_len_max": tf.constant(TIME, tf.int64),
        "x": tf.transpose(x, [1, 0, 2]),
        "cs_prev": c,
        "h_prev": h,
        "w": tf.concat([kernel, recurrent_kernel], axis=0),
        **dict(zip(("wci", "wcf", "wco"), tf.unstack(peepholes), strict=True)),
        "b": bias,
        "use_peephole": True,
    }
    i, cells, f, o, ci, co, outputs = tf.raw_ops.BlockLSTMV2(**arguments, cell_clip=-1.0)
    last = tf.one_hot(TIME - 1, TIME)[:, None, None]
    gradients = tf.raw_ops.BlockLSTMGradV2(
        **arguments,
        i=i,
        cs=cells,
        f=f,
        o=o,
        ci=ci,
        co=co,
        h=outputs,
        cs_grad=last * c_grad,
        h_grad=tf.transpose(outputs_grad, [1, 0, 2]) + last * h_grad,
    )
    results = [tf.transpose(outputs, [1, 0, 2]), outputs[-1], cells[-1]]
    kernels_grad = tf.split(gradients.w_grad, [FEATURES, UNITS])
    peepholes_grad = tf.stack([gradients.wci_grad, gradients.wcf_grad, gradients.wco_grad])
    states_grad = [gradients.h_prev_grad, gradients.cs_prev_grad]
    x_grad = tf.transpose(gradients.x_grad, [1, 0, 2])
    return results, [x_grad, *states_grad, *kernels_grad, gradients.b_grad, peepholes_grad]


@pytest.mark.backend("tensorflow")
@pytest.mark.parametrize("kernel", KERNELS)
def test_outputs_and_gradients_agree_with_tensorflows_block_lstm(kernel):
    import tensorflow as tf

    layer = with_random_weights(keras_seq.PeepholeLSTM(UNITS, return_sequences=True, return_state=True))
    x, (h, c) = tf.constant(sequences()), (tf.constant(state) for state in states(layer))
    random = np.random.default_rng(9)
    shapes = [(BATCH, TIME, UNITS), (BATCH, UNITS), (BATCH, UNITS)]
    coefficients = [tf.constant(random.normal(size=shape).astype("float32")) for shape in shapes]
    expected, expected_gradients = block_lstm(x, h, c, *layer.get_weights(), *coefficients)

    weights = [weight.value for weight in layer.weights]
    with KERNELS[kernel](), tf.GradientTape() as tape:
        tape.watch([x, h, c])
        received = layer(x, initial_state=[h, c], training=True)
        loss = sum(tf.reduce_sum(tensor * grad) for tensor, grad in zip(received, coefficients, strict=True))
    gradients = tape.gradient(loss, [x, h, c, *weights])
    assert_all_close(numpy(received), numpy(expected))
    assert_all_close(numpy(gradients), numpy(expected_gradients), atol=1e-5)


def test_without_peepholes_it_is_the_lstm():
    layer = with_random_weights(keras_seq.PeepholeLSTM(UNITS))
    weights = layer.get_weights()
    layer.set_weights([*weights[:3], 0 * weights[3]])
    lstm = keras.layers.LSTM(UNITS)
    lstm.build((None, None, FEATURES))
    lstm.set_weights(weights[:3])
    assert_all_close(numpy([layer(sequences())]), numpy([lstm(sequences())]))


def test_training_starts_from_an_lstm_and_changes_the_peepholes():
    model = keras.Sequential([keras.Input((None, FEATURES)), keras_seq.PeepholeLSTM(UNITS)])
    model.compile("sgd", "mse", jit_compile=False)
    peepholes = model.layers[0].cell.peephole_kernel
    assert not numpy(peepholes.value).any()
    model.train_on_batch(sequences(), sequences(features=UNITS)[:, 0])
    assert (np.abs(numpy(peepholes.value)).max(axis=1) > 0).all()


def test_positional_arguments_are_those_of_the_lstm():
    layer = keras_seq.PeepholeLSTM(UNITS, "relu", "hard_sigmoid", False)
    assert layer.activation is keras.activations.relu
    assert layer.recurrent_activation is keras.activations.hard_sigmoid
    assert layer.use_bias is False


def test_no_route_leads_to_cudnn():
    with pytest.raises(ValueError, match=r"`use_cudnn=True` is not possible.*cuDNN has no peepholes"):
        keras_seq.PeepholeLSTM(UNITS, use_cudnn=True)
    layer = keras_seq.PeepholeLSTM(UNITS, use_cudnn="auto")
    assert layer.use_cudnn is False
    assert "cuDNN has no peepholes" in layer.training_kernel().reason


def test_stock_bidirectional_never_takes_it_for_a_plain_lstm():
    for backward in (None, keras_seq.PeepholeLSTM(UNITS, go_backwards=True)):
        for forward in (keras_seq.PeepholeLSTM(UNITS), layers.LSTM(UNITS)):
            if backward is None and isinstance(forward, layers.LSTM) and type(forward) is layers.LSTM:
                continue
            stock = layers.Bidirectional(forward, backward_layer=backward)
            stock.build((BATCH, TIME, FEATURES))
            assert not stock._can_attempt_fused_lstm(mask=None)
    ours = keras_seq.Bidirectional(keras_seq.PeepholeLSTM(UNITS, return_sequences=True))
    stock = layers.Bidirectional(keras_seq.PeepholeLSTM(UNITS, return_sequences=True))
    with_random_weights(ours)
    stock.build((BATCH, TIME, FEATURES))
    stock.set_weights(ours.get_weights())
    x = sequences()
    assert_all_close(numpy([ours(x, mask=MASK)]), numpy([stock(x, mask=MASK)]))
