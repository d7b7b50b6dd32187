"""Which kernel runs a recurrent layer, and the switch that asks for the portable one."""

import contextlib
import contextvars
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_portable = contextvars.ContextVar("keras_seq_portable_kernels", default=False)


@dataclass(frozen=True)
class KernelChoice:
    """The kernel that a layer takes in training.

    Attributes:
        name: of a recurrent layer `"cudnn"` (the backend's fused GPU kernel), `"fused"` (this library's loop with a
            hand-written backward pass, TensorFlow only; inference takes the loop instead) or `"loop"` (the backend's
            generic loop, with the input projection taken out of it). Of attention `"flash"` (the backend's kernel that
            never holds the scores) or `"plain"`.
        reason: why not the faster kernel, in one line; empty for `"cudnn"` and `"flash"`.
    """

    name: str
    reason: str = ""


@contextlib.contextmanager
def portable_kernels() -> Iterator[None]:
    """Makes the layers of this library run their generic loop, with neither cuDNN nor custom gradients.

    For tracing a graph that is to run elsewhere. The switch holds for the current thread (or asynchronous task) alone.

    Example:
    >>> import keras_seq
    >>> with keras_seq.recurrent.portable_kernels():
    ...     keras_seq.LSTM(7).training_kernel().name
    'loop'
    """
    token = _portable.set(True)
    try:
        yield
    finally:
        _portable.reset(token)


def portable_kernels_asked() -> bool:
    """Whether the caller runs inside `portable_kernels()`."""
    return _portable.get()


def slowest_kernel(layers: list[Any], masked: bool) -> KernelChoice:
    """The slowest of several layers' kernels, with the layer's name in the reason where they do not all agree.

    Args:
        layers: recurrent layers; those that are not of this library count as the generic loop.
        masked: whether the layers are called with a mask.
    """
    order = ("cudnn", "fused", "loop")
    choices = [
        layer.training_kernel(masked)
        if hasattr(layer, "training_kernel")
        else KernelChoice("loop", "Keras runs this cell")
        for layer in layers
    ]
    slowest = max(choices, key=lambda choice: order.index(choice.name))
    if all(choice == slowest for choice in choices):
        return slowest
    return KernelChoice(slowest.name, f'layer "{layers[choices.index(slowest)].name}": {slowest.reason}')
