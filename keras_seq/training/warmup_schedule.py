"""The learning rate of the Transformer: it rises, then falls with the root of the step."""

from __future__ import annotations

import math
import numbers
from typing import Any

import keras
from keras import ops

from keras_seq.recurrent.cell import Tensor


@keras.saving.register_keras_serializable(package="keras_seq")
class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate with a linear warm-up, after which it falls with the square root of the step.

    Equation 3 of Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762), with the paper's d_model as `features` and a
    factor in front of it:

        learning_rate = scale features^-0.5 min(step^-0.5, step warmup_steps^-1.5)

    Steps count from 1, as in the paper: the first batch, which Keras calls iteration 0, is step 1. The rate is highest
    in step `warmup_steps`, `scale / sqrt(features * warmup_steps)`; after four times as many it is half of that. The
    paper's optimiser is `keras.optimizers.Adam(schedule, beta_2=0.98, epsilon=1e-9)`. A post-norm Transformer needs the
    warm-up, a pre-norm one can do with less.

    Args:
        features: size of the model's vectors, a positive integer.
        warmup_steps: how many steps the rate rises, a positive integer. The paper's 4000 are for 100,000 steps and
            more; take about a tenth of the steps there will be.
        scale: factor of the whole, positive.

    Call arguments:
        step: the optimiser's iteration, counted from 0; a number or a scalar tensor.

    Returns:
        The learning rate of that step, a float32 scalar.

    Raises:
        ValueError: for numbers that are not positive, or not whole where they must be.

    Example:
    >>> import keras, keras_seq
    >>> schedule = keras_seq.WarmupSchedule(features=256, warmup_steps=100)
    >>> [round(float(schedule(step)), 5) for step in (0, 49, 99, 399)]
    [6e-05, 0.00313, 0.00625, 0.00313]
    >>> optimizer = keras.optimizers.Adam(schedule, beta_2=0.98, epsilon=1e-9)
    """

    def __init__(self, features: int, warmup_steps: int = 4000, scale: float = 1.0):
        super().__init__()
        for name, value in (("features", features), ("warmup_steps", warmup_steps)):
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
        if isinstance(scale, bool) or not isinstance(scale, numbers.Real) or not (0.0 < scale < math.inf):
            raise ValueError(f"`scale` must be a positive number. Received: scale={scale!r}")
        self.features = int(features)
        self.warmup_steps = int(warmup_steps)
        self.scale = float(scale)

    def __call__(self, step: Tensor | int) -> Tensor:
        """The learning rate of a step, counted from 0."""
        step = ops.cast(step, "float32") + 1.0  # the paper's first step is 1: a rate of 0 would waste a batch
        return self.scale * self.features**-0.5 * ops.minimum(ops.rsqrt(step), step * self.warmup_steps**-1.5)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"features": self.features, "warmup_steps": self.warmup_steps, "scale": self.scale}
