"""The error of a training step whose gradients are not numbers."""

from __future__ import annotations


class GradientError(FloatingPointError):
    """A gradient became NaN or infinite during training.

    Attributes:
        epoch: The epoch, counted from 0 as Keras counts.
        batch: The batch within that epoch, counted from 0.
        variable: Path of the first variable, in the order of the model's weights, whose gradient is not finite.
        logs: The metrics of that batch.

    Example:

    >>> error = GradientError(epoch=2, batch=17, variable="lstm/kernel", logs={"loss": float("nan")}, clipped=False)
    >>> error.batch, error.variable
    (17, 'lstm/kernel')
    """

    def __init__(self, *, epoch: int, batch: int, variable: str, logs: dict[str, float], clipped: bool):
        self.epoch = epoch
        self.batch = batch
        self.variable = variable
        self.logs = logs
        metrics = ", ".join(f"{name}={value:.4g}" for name, value in logs.items()) or "none"
        advice = "a lower learning rate" if clipped else "`clipnorm=1.0` in the optimizer, a lower learning rate"
        super().__init__(
            f"The gradient of {variable!r} is NaN or infinite in epoch {epoch}, batch {batch} (both counted from 0); "
            f"a finite gradient was expected. Metrics of that batch: {metrics}. The update has been applied, so "
            f"go on from an earlier checkpoint. To mend it, look for NaN in that batch, and try {advice}, or shorter "
            "sequences."
        )
