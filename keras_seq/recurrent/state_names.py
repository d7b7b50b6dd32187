"""The names of a recurrent layer's states."""

from typing import Any


def state_names(layer: Any) -> tuple[str, ...]:
    """The names of the states of a recurrent layer or cell, of this library or of Keras.

    Args:
        layer: a layer or cell with `state_names`, or else with Keras' `state_size`.

    Returns:
        What the layer itself says; otherwise `("h",)`, `("h", "c")`, or numbered names for more than two states.

    Example:
    >>> import keras
    >>> from keras_seq.recurrent.state_names import state_names
    >>> state_names(keras.layers.LSTM(7))
    ('h', 'c')
    """
    own = getattr(layer, "state_names", None) or getattr(getattr(layer, "cell", None), "state_names", None)
    if own is not None:
        return tuple(own)
    size = layer.state_size
    count = len(size) if isinstance(size, (list, tuple)) else 1
    return {1: ("h",), 2: ("h", "c")}.get(count, tuple(f"state_{index}" for index in range(count)))
