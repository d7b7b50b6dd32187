"""Keras activation functions as the `activations` attribute of ONNX recurrent operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from keras_seq.export.errors import NotNativeError

__all__ = ["Activation", "native_activation"]


@dataclass(frozen=True)
class Activation:
    """One entry of `activations`, with the entries of `activation_alpha` and `activation_beta` that belong to it.

    ONNX lists alphas and betas only for the functions that take them, in order: hence `None` rather than a default.
    """

    name: str
    alpha: float | None = None
    beta: float | None = None

    @property
    def saturates_at_one(self) -> bool:
        """Whether a large enough argument gives exactly 1, so that a gate can be pinned open."""
        return self.name in ("Sigmoid", "HardSigmoid", "Tanh")


_NATIVE: dict[Callable, Activation] = {
    keras.activations.tanh: Activation("Tanh"),
    keras.activations.sigmoid: Activation("Sigmoid"),
    keras.activations.relu: Activation("Relu"),
    keras.activations.linear: Activation("Affine", alpha=1.0, beta=0.0),
    keras.activations.hard_sigmoid: Activation("HardSigmoid", alpha=1 / 6, beta=0.5),
    keras.activations.leaky_relu: Activation("LeakyRelu", alpha=0.2),
    keras.activations.elu: Activation("Elu", alpha=1.0),
    keras.activations.softsign: Activation("Softsign"),
    keras.activations.softplus: Activation("Softplus"),
}
_NATIVE |= {getattr(keras.ops, f.__name__): a for f, a in _NATIVE.items() if f.__name__ in ("tanh", "sigmoid", "relu")}


def native_activation(function: Callable | None) -> Activation:
    """The ONNX form of a Keras activation function.

    Args:
        function: What `keras.activations.get` returns; `None` is the identity.

    Raises:
        NotNativeError: ONNX's recurrent operators do not know the function.
    """
    if function is None:
        function = keras.activations.linear
    if function not in _NATIVE:
        known = ", ".join(sorted({f.__name__ for f in _NATIVE}))
        name = getattr(function, "__name__", repr(function))
        raise NotNativeError(f"its activation {name!r} is none of those that ONNX's recurrent operators know ({known})")
    return _NATIVE[function]
