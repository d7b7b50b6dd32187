"""Weights of TensorFlow Addons' peephole LSTM."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_seq.recurrent.peephole_lstm import PeepholeLSTM, PeepholeLSTMCell

_PEEPHOLES = ("input_gate_peephole_weights", "forget_gate_peephole_weights", "output_gate_peephole_weights")


def load_tfa_peephole_weights(
    layer: PeepholeLSTM | PeepholeLSTMCell, weights: Mapping[str, Any] | Sequence[Any]
) -> None:
    """Sets the weights of a peephole LSTM from those of a `tfa.rnn.PeepholeLSTMCell`.

    Both compute the same; TensorFlow Addons keeps the peepholes in three vectors instead of one matrix.

    Args:
        layer: a built `PeepholeLSTM` or `PeepholeLSTMCell`.
        weights: what `get_weights()` of the old cell, or of the `RNN` layer around it, gave: `kernel`
            `(features, 4 * units)`, `recurrent_kernel` `(units, 4 * units)`, `bias` `(4 * units,)` unless
            `use_bias=False`, then the peepholes of the input, forget and output gate, each `(units,)`. Or a mapping
            with these under `"kernel"`, `"recurrent_kernel"`, `"bias"`, `"input_gate_peephole_weights"`,
            `"forget_gate_peephole_weights"` and `"output_gate_peephole_weights"`.

    Raises:
        TypeError: where `layer` is no peephole LSTM.
        ValueError: where `layer` is not built, or the weights differ from its own in number, names or shapes.

    Example:
    >>> import keras_seq, numpy as np
    >>> layer = keras_seq.PeepholeLSTM(2)
    >>> layer.build((None, None, 3))
    >>> old = [np.ones((3, 8)), np.ones((2, 8)), np.ones(8), np.full(2, 0.1), np.full(2, 0.2), np.full(2, 0.3)]
    >>> keras_seq.load_tfa_peephole_weights(layer, old)
    >>> print(layer.get_weights()[3][:, 0])
    [0.1 0.2 0.3]
    """
    cell = getattr(layer, "cell", layer)
    if not isinstance(cell, PeepholeLSTMCell):
        raise TypeError(f"`layer` must be a PeepholeLSTM or a PeepholeLSTMCell. Received: {layer!r}")
    if not cell.built:
        raise ValueError(
            f'Layer "{layer.name}" has no weights yet: call it, or its `build((None, None, features))`, before.'
        )
    names = ("kernel", "recurrent_kernel", *(("bias",) if cell.use_bias else ()), *_PEEPHOLES)
    if not isinstance(weights, Mapping):
        if len(weights) != len(names):
            raise ValueError(
                f"`weights` must hold {len(names)} arrays: {', '.join(names)}. Received: {len(weights)} arrays"
            )
        weights = dict(zip(names, weights, strict=True))
    if set(weights) != set(names):
        raise ValueError(f"`weights` must have the keys {sorted(names)}. Received: {sorted(weights)}")

    shapes = dict.fromkeys(_PEEPHOLES, (cell.units,))
    shapes |= {name: tuple(getattr(cell, name).shape) for name in names if name not in _PEEPHOLES}
    arrays = {name: np.asarray(weights[name]) for name in names}
    for name, array in arrays.items():
        if array.shape != shapes[name]:
            raise ValueError(f"`weights`: {name} must have the shape {shapes[name]}. Received: {array.shape}")
    peepholes = np.stack([arrays[name] for name in _PEEPHOLES])
    cell.set_weights([arrays[name] for name in names if name not in _PEEPHOLES] + [peepholes])
