import keras
import numpy as np
import pytest
import torch

from keras_seq.training import WarmupSchedule

FEATURES, WARMUP_STEPS = 13, 7


def rates(schedule, steps):
    return np.array([float(schedule(step)) for step in steps])


def equation_3(step, features, warmup_steps):
    """As printed; the paper's first step is 1."""
    return features**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)


@pytest.mark.smoke
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_the_rate_is_that_of_the_paper(scale):
    received = rates(WarmupSchedule(FEATURES, WARMUP_STEPS, scale), range(50))
    expected = [scale * equation_3(step, FEATURES, WARMUP_STEPS) for step in range(1, 51)]
    np.testing.assert_allclose(received, expected, rtol=1e-6)
    assert received.argmax() + 1 == WARMUP_STEPS


def test_the_defaults_are_those_of_the_paper():
    schedule = WarmupSchedule(512)
    assert schedule.get_config() == {"features": 512, "warmup_steps": 4000, "scale": 1.0}
    np.testing.assert_allclose(rates(schedule, [3999]), 6.9877e-4, rtol=1e-4)


def test_an_optimizer_takes_the_rate_of_each_step():
    """With plain descent and a gradient of one, the weight falls by the rates, as PyTorch's schedule has them."""
    weight = keras.Variable(np.zeros(1, "float32"))
    optimizer = keras.optimizers.SGD(WarmupSchedule(FEATURES, WARMUP_STEPS))
    parameter = torch.nn.Parameter(torch.zeros(1))
    reference = torch.optim.SGD([parameter], lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(reference, lambda n: equation_3(n + 1, FEATURES, WARMUP_STEPS))
    for _ in range(11):
        optimizer.apply([keras.ops.ones(1)], [weight])
        parameter.grad = torch.ones(1)
        reference.step()
        schedule.step()
        expected = parameter.detach().numpy()
        np.testing.assert_allclose(keras.ops.convert_to_numpy(weight.value), expected, rtol=1e-5)


def test_fit_takes_it_and_the_optimizer_goes_round():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(WarmupSchedule(FEATURES, WARMUP_STEPS, 2.0), beta_2=0.98), "mse")
    x = np.ones((6, 3), "float32")
    losses = model.fit(x, x[:, :1] * 5, batch_size=2, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    config = keras.saving.serialize_keras_object(model.optimizer)
    schedule = keras.saving.deserialize_keras_object(config)._learning_rate
    assert type(schedule) is WarmupSchedule
    assert schedule.get_config() == {"features": FEATURES, "warmup_steps": WARMUP_STEPS, "scale": 2.0}
    assert keras.saving.get_registered_name(WarmupSchedule) == "keras_seq>WarmupSchedule"


@pytest.mark.parametrize("name", ["features", "warmup_steps"])
@pytest.mark.parametrize("value", [0, -3, 2.5, None, True])
def test_sizes_are_positive_integers(name, value):
    arguments = {"features": FEATURES, name: value}
    with pytest.raises(ValueError, match=rf"`{name}` must be a positive integer\. Received: {name}={value}"):
        WarmupSchedule(**arguments)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan"), "1", None])
def test_the_scale_is_a_positive_number(scale):
    with pytest.raises(ValueError, match=rf"`scale` must be a positive number\. Received: scale={scale!r}"):
        WarmupSchedule(FEATURES, scale=scale)
