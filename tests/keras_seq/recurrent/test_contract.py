"""What every public layer and cell must do; a new one that is not listed here fails a test."""

import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

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


def bidirectional(name=None, dtype=None, **kwargs):
    forward = keras_seq.PeepholeLSTM(UNITS, dtype=dtype, **kwargs)
    backward = keras_seq.GRU(UNITS, go_backwards=True, reset_after=False, dtype=dtype, **kwargs)
    return keras_seq.Bidirectional(forward, merge_mode="ave", backward_layer=backward, dtype=dtype, name=name)


def stacked_rnn(dtype=None, **kwargs):
    classes = (keras_seq.PeepholeLSTMCell, keras.layers.GRUCell, keras_seq.SimpleRNNCell)
    cells = [cell(UNITS, dtype=dtype) for cell in classes]
    return keras_seq.StackedRNN(cells, residual=True, dropout=0.2, seed=5, dtype=dtype, **kwargs)


# name: makes one with the given arguments, in a form that differs from the defaults
LAYERS = {
    "SimpleRNN": lambda **kwargs: keras_seq.SimpleRNN(UNITS, activation="relu", dropout=0.2, seed=5, **kwargs),
    "GRU": lambda **kwargs: keras_seq.GRU(UNITS, simplified=True, bias_initializer="ones", **kwargs),
    "LSTM": lambda **kwargs: keras_seq.LSTM(UNITS, output_activation=None, kernel_regularizer="l2", **kwargs),
    "PeepholeLSTM": lambda **kwargs: keras_seq.PeepholeLSTM(
        UNITS,
        peephole_initializer=keras.initializers.RandomNormal(seed=4),
        peephole_regularizer="l1",
        peephole_constraint="non_neg",
        **kwargs,
    ),
    "Bidirectional": bidirectional,
    "StackedRNN": stacked_rnn,
}
CELLS = {
    "SimpleRNNCell": lambda: keras_seq.SimpleRNNCell(UNITS, activation="relu", recurrent_dropout=0.1),
    "GRUCell": lambda: keras_seq.GRUCell(UNITS, simplified=True, implementation=1),
    "LSTMCell": lambda: keras_seq.LSTMCell(UNITS, output_activation="relu", unit_forget_bias=False),
    "PeepholeLSTMCell": lambda: keras_seq.PeepholeLSTMCell(UNITS, peephole_initializer="ones", use_bias=False),
}
# PyTorch's compiler needs a C++ compiler; JAX outside `jit` compiles every loop of every step anew, for minutes.
JIT_COMPILE = {"tensorflow": [False, True], "jax": [True], "torch": [False]}[keras.backend.backend()]


def branches(**kwargs):
    """One model with every layer side by side; `time` stays open."""
    inputs = keras.Input((None, FEATURES), name="sequences")
    masked = keras.layers.Masking(mask_value=9.0)(inputs)
    outputs = {name: make(name=name, **kwargs)(masked) for name, make in LAYERS.items()}
    return keras.Model(inputs, outputs)


def masked_sequences():
    return np.where(MASK[:, :, None], sequences(), 9.0).astype("float32")


def test_every_public_layer_and_cell_is_listed_here():
    public = [getattr(keras_seq.recurrent, name) for name in keras_seq.recurrent.__all__]
    classes = {item.__name__ for item in public if isinstance(item, type) and issubclass(item, keras.layers.Layer)}
    assert classes == set(LAYERS) | set(CELLS)
    assert set(keras_seq.recurrent.__all__) <= set(keras_seq.__all__)


@pytest.mark.parametrize("name", [*LAYERS, *CELLS])
def test_the_config_holds_every_argument_and_goes_round(name):
    layer = (LAYERS | CELLS)[name]()
    config = layer.get_config()
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is type(layer)
    assert type(layer).from_config(config).get_config() == copy.get_config() == config
    assert keras.saving.get_registered_name(type(layer)) == f"keras_seq>{name}"


@pytest.mark.parametrize("return_state", [True, False])
@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_symbolic_and_eager_results_have_the_same_shapes_and_dtypes(name, return_sequences, return_state):
    layer = LAYERS[name](return_sequences=return_sequences, return_state=return_state, dtype="float32")
    symbolic = layer(keras.Input((None, FEATURES), batch_size=BATCH))
    results = layer(sequences())
    if not return_state:
        symbolic, results = [symbolic], [results]
    for tensor, result in zip(symbolic, results, strict=True):
        known = [size if size is not None else TIME for size in tensor.shape]
        assert known == list(result.shape)
        assert tensor.dtype == keras.backend.standardize_dtype(result.dtype)
    assert len(results) == 1 + return_state * len(layer.state_names)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("dtype", "jit_compile"), [("float32", JIT_COMPILE[0]), ("mixed_bfloat16", JIT_COMPILE[-1])], ids=str
)
def test_fit_learns_and_moves_every_weight(dtype, jit_compile):
    model = branches(dtype=dtype)
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=jit_compile)
    before = [numpy(weight.value) for weight in model.trainable_weights]
    x = np.tile(masked_sequences(), (5, 1, 1))
    y = {name: np.tile(x[:, 4, :1].clip(-1, 1), (1, UNITS)) for name in LAYERS}
    history = model.fit(x, y, batch_size=BATCH, epochs=3, verbose=0).history
    assert {weight.dtype for weight in model.weights} == {"float32"}
    for name in LAYERS:
        losses = (
            history[f"the_{name.lower()}_loss"] if f"the_{name.lower()}_loss" in history else history[f"{name}_loss"]
        )
        assert np.isfinite(losses).all()
        assert losses[-1] < 0.9 * losses[0], name
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.isfinite(numpy(weight.value)).all()
        assert (numpy(weight.value) != old).any(), weight.path


def test_mixed_precision_computes_in_bfloat16_near_the_float32_result():
    exact, mixed = branches(return_sequences=True), branches(return_sequences=True, dtype="mixed_bfloat16")
    mixed.set_weights(exact.get_weights())
    x = masked_sequences()
    expected, received = exact(x), mixed(x)
    for name in LAYERS:
        assert keras.backend.standardize_dtype(received[name].dtype) == "bfloat16"
        np.testing.assert_allclose(numpy(received[name]), numpy(expected[name]), atol=0.05)


@pytest.mark.parametrize("jit_compile", JIT_COMPILE)
def test_eager_and_compiled_results_agree(jit_compile):
    model = branches(return_sequences=True)
    x = masked_sequences()
    expected = model(x)
    model.compile(jit_compile=jit_compile)
    received = model.predict(x, verbose=0)
    for name in LAYERS:
        assert_all_close([received[name]], [numpy(expected[name])])


@pytest.mark.parametrize("name", LAYERS)
def test_masked_rows_are_as_if_they_were_alone_and_cut_to_their_valid_steps(name):
    layer = with_random_weights(LAYERS[name](return_state=True))
    x = sequences()
    together = numpy(layer(x, mask=MASK))
    for row in range(4):
        alone = numpy(layer(x[row : row + 1, MASK[row]]))
        assert_all_close([tensor[row] for tensor in together], [tensor[0] for tensor in alone])
    assert not any(tensor[4].any() for tensor in together)  # no valid step: the states stay at zero


SAVED_MODEL_TEST = """
import sys
import keras_seq
assert "keras" not in sys.modules
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
outputs = model.predict(np.load(sys.argv[2]), verbose=0)
np.savez(sys.argv[3], **outputs)
"""


def test_a_saved_model_is_read_in_a_fresh_process_by_importing_keras_seq(tmp_path):
    model = branches(return_sequences=True)
    with_random_weights_of(model)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", masked_sequences())
    paths = [str(tmp_path / name) for name in ("model.keras", "x.npy", "outputs.npz")]
    command = [sys.executable, "-c", SAVED_MODEL_TEST, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=pathlib.Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    received, expected = np.load(tmp_path / "outputs.npz"), model(masked_sequences())
    for name in LAYERS:
        assert_all_close([received[name]], [numpy(expected[name])])


def with_random_weights_of(model):
    random = np.random.default_rng(6)
    model.set_weights([random.normal(size=weight.shape, scale=0.5) for weight in model.get_weights()])
