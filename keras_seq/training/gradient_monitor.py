"""A callback that watches the size of the gradients."""

from __future__ import annotations

import warnings

import keras
import numpy as np

from keras_seq.training.gradient_error import GradientError
from keras_seq.training.gradient_probe import FINITE, GradientProbe


class GradientMonitor(keras.callbacks.Callback):
    """Reports the global gradient norm of each epoch, and stops as soon as a gradient is no number.

    Recurrent networks fail in two ways that the loss shows late: gradients that explode, and gradients that vanish.
    Both show in the norm of all gradients taken together, the square root of the sum of their squares. Its mean and
    its maximum over the batches of an epoch are added to the epoch's logs as `gradient_norm` and `gradient_norm_max`,
    so they appear in `History`. Callbacks that are to see them, such as `CSVLogger`, have to come after this one.

    The norm is that of the gradients as they come out of back-propagation, before the optimizer clips them; a loss
    scale is taken out. The maximum of the first epochs is thus a good place to start for `clipnorm`.

    Works with the training steps that Keras compiles under TensorFlow (with and without XLA), JAX and PyTorch, with a
    `train_step` of your own that applies its gradients with `self.optimizer`, and with all optimizers. The step is
    compiled once more for the watched `fit`; nothing is added to the model, so what is saved during or after it is what
    would have been saved without. Each batch waits for its result, as it does with a progress bar. Costs one pass over
    the gradients; those of an embedding are made dense for it.

    - With `steps_per_execution` the last step of each execution is watched.
    - With gradient accumulation each step counts by itself.
    - A `LossScaleOptimizer` leaves out steps whose gradients are not finite, as it should: they are neither counted
      nor taken for an error.
    - Under `tf.distribute` the norm is that of one replica.

    Args:
        on_nonfinite: What to do when a gradient is NaN or infinite. `"raise"` leaves `fit` with a `GradientError`, the
            default because the model's weights are useless from then on; `"stop"` ends the training as
            `keras.callbacks.TerminateOnNaN` does, with the error's text as a `RuntimeWarning`.

    Raises:
        ValueError: If `on_nonfinite` is neither of the two.

    Example:

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((7, 3)), keras.layers.LSTM(5), keras.layers.Dense(1)])
    >>> model.compile("sgd", loss="mse")
    >>> history = model.fit(np.ones((4, 7, 3)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[GradientMonitor()])
    >>> sorted(history.history)
    ['gradient_norm', 'gradient_norm_max', 'loss']
    """

    def __init__(self, on_nonfinite: str = "raise"):
        super().__init__()
        if on_nonfinite not in ("raise", "stop"):
            raise ValueError(f'`on_nonfinite` must be "raise" or "stop". Received: on_nonfinite={on_nonfinite!r}.')
        self.on_nonfinite = on_nonfinite
        self._probe: GradientProbe | None = None
        self._epoch = 0
        self._norms: list[float] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Attaches the probe."""
        self._probe = GradientProbe(self.model)
        self._probe.attach()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Forgets the norms of the epoch before."""
        self._epoch = epoch
        self._norms = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Notes the norm of a batch, and looks for gradients that are not finite.

        Raises:
            GradientError: If there is one and `on_nonfinite` is `"raise"`.
        """
        fault = int(self._probe.fault)
        if fault == FINITE:
            self._norms.append(float(self._probe.norm))
        elif not isinstance(self._probe.model.optimizer, keras.optimizers.LossScaleOptimizer):
            self._norms.append(float(self._probe.norm))
            self._give_up(batch, self._probe.paths[fault], logs or {})

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Adds the mean and the maximum of the epoch to its logs."""
        if logs is None:
            return
        # An epoch all of whose steps were left out by a loss scale has no norm.
        norms = np.array(self._norms or [np.nan])
        logs["gradient_norm"] = float(norms.mean())
        logs["gradient_norm_max"] = float(norms.max())

    def on_train_end(self, logs: dict | None = None) -> None:
        """Detaches the probe."""
        self._probe.detach()
        self._probe = None

    def _give_up(self, batch: int, variable: str, logs: dict[str, float]) -> None:
        optimizer = self._probe.model.optimizer
        clipped = any((optimizer.clipnorm, optimizer.clipvalue, optimizer.global_clipnorm))
        error = GradientError(epoch=self._epoch, batch=batch, variable=variable, logs=logs, clipped=clipped)
        if self.on_nonfinite == "stop":
            warnings.warn(str(error), RuntimeWarning, stacklevel=2)
            self._probe.model.stop_training = True
            return
        self.on_train_end()
        raise error
