import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_seq.training import GradientError, GradientMonitor

BATCH, TIME, FEATURES, UNITS = 5, 7, 3, 11


def small_model(optimizer="sgd", layer=keras.layers.Flatten, **compile_options):
    keras.utils.set_random_seed(13)
    hidden = layer(name="hidden") if layer is keras.layers.Flatten else layer(UNITS, name="hidden")
    model = keras.Sequential([keras.Input((TIME, FEATURES)), hidden, keras.layers.Dense(1, name="score")])
    model.compile(optimizer, loss="mse", **compile_options)
    return model


def data(batches=1):
    random = np.random.default_rng(17)
    rows = BATCH * batches
    return random.normal(size=(rows, TIME, FEATURES)).astype("float32"), random.normal(size=(rows, 1)).astype("float32")


def fit(model, x, y, monitor=None, epochs=1, **options):
    callbacks = [] if monitor is None else [monitor]
    return model.fit(x, y, BATCH, epochs, verbose=0, shuffle=False, callbacks=callbacks, **options).history


def simple_rnn_loss(weights, x, y):
    kernel, recurrent_kernel, bias, score_kernel, score_bias = weights
    h = np.zeros((len(x), UNITS))
    for time in range(x.shape[1]):
        h = np.tanh(x[:, time] @ kernel + h @ recurrent_kernel + bias)
    return ((h @ score_kernel + score_bias - y) ** 2).mean()


def numeric_norm(weights, x, y, step=1e-5):
    """The norm of the loss's slope by central differences in float64, one number of the weights at a time."""
    weights = [weight.astype("float64") for weight in weights]
    squares = 0.0
    for weight in weights:
        for index in np.ndindex(weight.shape):
            kept, losses = weight[index], []
            for moved in (kept + step, kept - step):
                weight[index] = moved
                losses.append(simple_rnn_loss(weights, x, y))
            weight[index] = kept
            squares += ((losses[0] - losses[1]) / (2 * step)) ** 2
    return math.sqrt(squares)


def compile_variants():
    if keras.backend.backend() == "torch":
        return [False]  # `torch.compile` needs a C++ compiler
    return [False, True]


@pytest.mark.smoke
@pytest.mark.parametrize("jit_compile", compile_variants())
def test_norm_is_that_of_the_loss_gradient(jit_compile):
    model = small_model(layer=keras.layers.SimpleRNN, jit_compile=jit_compile)
    x, y = data()
    expected = numeric_norm(model.get_weights(), x, y)
    history = fit(model, x, y, GradientMonitor())
    assert history["gradient_norm"][0] == pytest.approx(expected, rel=1e-4)
    assert history["gradient_norm_max"] == history["gradient_norm"]


@pytest.mark.smoke
def test_mean_and_maximum_are_over_the_batches_of_an_epoch():
    x, y = data(batches=3)
    x[BATCH : 2 * BATCH] *= 4
    norms = []
    model = small_model(keras.optimizers.SGD(0.05))
    for start in range(0, len(x), BATCH):
        rows = slice(start, start + BATCH)
        norms += fit(model, x[rows], y[rows], GradientMonitor())["gradient_norm"]
    history = fit(small_model(keras.optimizers.SGD(0.05)), x, y, GradientMonitor())
    assert history["gradient_norm"] == pytest.approx([np.mean(norms)], rel=1e-5)
    assert history["gradient_norm_max"] == pytest.approx([max(norms)], rel=1e-5)
    assert min(norms) < 0.9 * max(norms)


def test_each_epoch_has_its_own_norm():
    x, y = data()
    epochs = fit(small_model(keras.optimizers.SGD(0.05)), x, y, GradientMonitor(), epochs=2)["gradient_norm"]
    model = small_model(keras.optimizers.SGD(0.05))
    single = [fit(model, x, y, GradientMonitor())["gradient_norm"][0] for _ in range(2)]
    assert epochs == pytest.approx(single, rel=1e-5)
    assert abs(single[0] - single[1]) > 0.01 * single[0]


@pytest.mark.parametrize("clipping", [{"clipnorm": 1e-3}, {"clipvalue": 1e-4}, {"global_clipnorm": 1e-3}])
def test_norm_is_measured_before_clipping(clipping):
    x, y = data()
    plain = fit(small_model(keras.optimizers.SGD(1.0)), x, y, GradientMonitor())
    clipped_model = small_model(keras.optimizers.SGD(1.0, **clipping))
    before = clipped_model.get_weights()
    clipped = fit(clipped_model, x, y, GradientMonitor())
    assert clipped["gradient_norm"] == pytest.approx(plain["gradient_norm"], rel=1e-6)
    moved = math.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(before, clipped_model.get_weights(), strict=True)))
    assert 0 < moved < 0.1 * clipped["gradient_norm"][0]


@pytest.mark.parametrize("factor", [None, 64.0])
def test_a_loss_scale_is_taken_out(factor):
    x, y = data()
    plain = fit(small_model(), x, y, GradientMonitor())
    optimizer = keras.optimizers.SGD(loss_scale_factor=factor)
    if factor is None:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=256.0)
    scaled = fit(small_model(optimizer), x, y, GradientMonitor())
    assert scaled["gradient_norm"] == pytest.approx(plain["gradient_norm"], rel=1e-4)


def test_a_step_that_a_loss_scale_optimizer_leaves_out_is_no_error():
    x, y = data(batches=2)
    x[0, 0, 0] = np.inf
    model = small_model(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()))
    history = fit(model, x, y, GradientMonitor())
    assert np.isfinite(history["gradient_norm"]).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.smoke
def test_training_is_the_same_with_and_without():
    x, y = data(batches=3)
    results = []
    for monitor in (None, GradientMonitor()):
        model = small_model("adam", layer=keras.layers.LSTM, metrics=["mae"])
        history = fit(model, x, y, monitor, epochs=2, validation_data=(x, y))
        history = {name: values for name, values in history.items() if not name.startswith("gradient")}
        results.append((history, model.get_weights()))
    (plain, plain_weights), (watched, watched_weights) = results
    assert list(plain) == list(watched)
    for name in plain:
        np.testing.assert_allclose(watched[name], plain[name], rtol=1e-5, err_msg=name)
    for expected, weight in zip(plain_weights, watched_weights, strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)


def test_the_model_is_as_before_afterwards(tmp_path):
    x, y = data(batches=2)
    model = small_model("adam")
    fit(model, x, y)
    model_attributes, optimizer_attributes = set(vars(model)), set(vars(model.optimizer))
    variables = [variable.path for variable in model.optimizer.variables]
    assert "gradient_norm" in fit(model, x, y, GradientMonitor())
    assert "gradient_norm" not in fit(model, x, y)
    assert "gradient_norm" in fit(model, x, y, GradientMonitor())
    assert [variable.path for variable in model.optimizer.variables] == variables
    assert set(vars(model)) == model_attributes
    assert set(vars(model.optimizer)) == optimizer_attributes
    model.save(tmp_path / "after.keras")
    loaded = keras.saving.load_model(tmp_path / "after.keras")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)


def test_a_checkpoint_written_meanwhile_resumes(tmp_path):
    x, y = data(batches=2)
    model = small_model("adam")
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    model.fit(x, y, BATCH, verbose=0, callbacks=[GradientMonitor(), checkpoint])
    resumed = keras.saving.load_model(tmp_path / "1.keras")
    for saved, variable in zip(resumed.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(saved), ops.convert_to_numpy(variable))
    fit(resumed, x, y)


def poisoned(batches=3, bad=1):
    x, y = data(batches)
    x[bad * BATCH, 2, 1] = np.nan
    return x, y


@pytest.mark.smoke
@pytest.mark.parametrize("jit_compile", compile_variants())
def test_nan_is_raised_with_its_place_and_its_variable(jit_compile):
    x, y = poisoned()
    model = small_model(layer=keras.layers.SimpleRNN, jit_compile=jit_compile)
    with pytest.raises(GradientError, match=r"'.*hidden.*/kernel' is NaN or infinite in epoch 0, batch 1 .*clipnorm"):
        fit(model, x, y, GradientMonitor())


def test_the_error_tells_epoch_batch_variable_and_loss():
    x, y = poisoned()
    with pytest.raises(GradientError) as caught:
        small_model().fit(x, y, BATCH, 5, 0, [GradientMonitor()], shuffle=False, initial_epoch=3)
    assert (caught.value.epoch, caught.value.batch) == (3, 1)
    assert caught.value.variable.endswith("kernel")
    assert "loss" in caught.value.logs


def test_only_the_offending_variable_is_named():
    class Poison(keras.layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(name="scale", shape=(), initializer="zeros")

        def call(self, inputs):
            # 0 * infinity: the slope of a square root at zero reaches `scale` alone.
            return inputs + ops.sqrt(self.scale)

    model = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(2), Poison(), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse")
    with pytest.raises(GradientError, match=r"poison.*/scale"):
        model.fit(np.ones((2, FEATURES)), np.ones((2, 1)), verbose=0, callbacks=[GradientMonitor()])


def test_after_the_error_the_model_trains_on_without_the_monitor():
    x, y = poisoned()
    model = small_model()
    weights = model.get_weights()
    with pytest.raises(GradientError):
        fit(model, x, y, GradientMonitor())
    assert "train_step" not in vars(model)
    model.set_weights(weights)
    history = fit(model, *data())
    assert set(history) == {"loss"}
    assert np.isfinite(history["loss"]).all()


def test_stop_ends_the_training_with_a_warning():
    x, y = poisoned()
    with pytest.warns(RuntimeWarning, match="epoch 0, batch 1"):
        history = fit(small_model(), x, y, GradientMonitor(on_nonfinite="stop"), epochs=4)
    assert len(history["loss"]) == 1
    assert math.isnan(history["gradient_norm"][0])
    assert math.isnan(history["gradient_norm_max"][0])


def test_a_fit_that_broke_off_leaves_nothing_that_shows():
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    x, y = data(batches=2)
    model = small_model()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, BATCH, verbose=0, callbacks=[GradientMonitor(), Interrupt()])
    assert set(fit(model, x, y)) == {"loss"}
    assert set(fit(model, x, y, GradientMonitor())) == {"loss", "gradient_norm", "gradient_norm_max"}
    assert "train_step" not in vars(model)


def test_rows_of_an_embedding_used_twice_are_added_before_the_norm_is_taken():
    # One weight w = 1, used at all steps, and the loss (w * TIME - 1)^2: its slope is 2 * TIME * (w * TIME - 1).
    model = keras.Sequential(
        [keras.layers.Embedding(2, 1, embeddings_initializer="ones"), keras.layers.Lambda(sum_time)]
    )
    model.compile("sgd", loss="mse")
    history = fit(model, np.zeros((BATCH, TIME), "int32"), np.ones((BATCH, 1), "float32"), GradientMonitor())
    assert history["gradient_norm"][0] == pytest.approx(2 * TIME * (TIME - 1), rel=1e-5)


def sum_time(x):
    return ops.sum(x, axis=1)


def test_a_huge_gradient_is_not_taken_for_an_infinite_one():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False)])
    model.compile(keras.optimizers.SGD(0.0), loss=lambda y_true, y_pred: y_pred * 3e25)
    history = fit(model, np.ones((1, 1), "float32"), np.ones((1, 1), "float32"), GradientMonitor())
    assert history["gradient_norm"][0] == pytest.approx(3e25, rel=1e-5)


def test_a_model_that_runs_eagerly_is_watched():
    x, y = data()
    compiled = fit(small_model(), x, y, GradientMonitor())
    eager = fit(small_model(run_eagerly=True), x, y, GradientMonitor())
    assert eager["gradient_norm"] == pytest.approx(compiled["gradient_norm"], rel=1e-4)


@pytest.mark.backend("tensorflow", "jax")  # PyTorch's trainer has one step per execution only
def test_several_steps_per_execution_report_their_last():
    x, y = data(batches=4)
    model = small_model(steps_per_execution=2, optimizer=keras.optimizers.SGD(0.0))
    history = fit(model, x, y, GradientMonitor())
    last = slice(3 * BATCH, 4 * BATCH), slice(BATCH, 2 * BATCH)
    norms = [fit(small_model(), x[rows], y[rows], GradientMonitor())["gradient_norm"][0] for rows in last]
    assert history["gradient_norm"] == pytest.approx([np.mean(norms)], rel=1e-5)


def test_a_train_step_that_applies_no_gradient_is_refused():
    class Idle(keras.Sequential):
        def train_step(self, *arguments):
            logs = {"loss": ops.zeros(())}
            return (logs, arguments[0]) if len(arguments) == 2 else logs

    model = Idle([keras.Input((TIME, FEATURES)), keras.layers.GRU(UNITS)], name="idle")
    model.compile("sgd", loss="mse")
    x, _ = data()
    with pytest.raises(ValueError, match="gradients of 'idle' cannot be watched"):
        fit(model, x, np.ones((BATCH, UNITS)), GradientMonitor())


def test_an_unknown_reaction_is_refused():
    with pytest.raises(ValueError, match="on_nonfinite='ignore'"):
        GradientMonitor(on_nonfinite="ignore")
