"""What is added to attention scores before the softmax: 0 where a step is visible, a large negative number elsewhere.

All are finite, as infinities would make NaN of a row that sees nothing, in the gradient and in exported graphs. Biases
are combined by adding.
"""

from typing import Any

from keras import ops

from keras_seq.attention.memory_attention import MASK_BIAS
from keras_seq.recurrent.cell import Tensor

CAUSAL_BIAS = 2 * MASK_BIAS
"""Below that of padding: where all the past is padding, it is still the past alone that is attended to."""


def mask_bias(mask: Tensor) -> Tensor:
    """0 where `mask` is `True`, -1e30 elsewhere; float32, of the same shape."""
    return (1.0 - ops.cast(mask, "float32")) * MASK_BIAS


def padding_bias(mask: Tensor) -> Tensor:
    """The bias of a padding mask `(batch, steps)`, `False` at the padding: `(batch, 1, 1, steps)`.

    Example:
    >>> from keras import ops
    >>> from keras_seq.attention.attention_bias import padding_bias
    >>> ops.convert_to_numpy(padding_bias(ops.array([[True, False]])) == 0).tolist()
    [[[[True, False]]]]
    """
    return ops.expand_dims(mask_bias(mask), axis=(1, 2))


def causal_bias(queries: Any, steps: Any, past: Any = 0) -> Tensor:
    """The bias that hides the future: query i sees step j where j <= past + i.

    Args:
        queries: how many, a number or a scalar tensor.
        steps: how many steps there are to attend to.
        past: how many of them come before the first query's own.

    Returns:
        `(1, 1, queries, steps)`.

    Example:
    >>> from keras import ops
    >>> from keras_seq.attention.attention_bias import causal_bias
    >>> ops.convert_to_numpy(causal_bias(2, 3, past=1) == 0).tolist()
    [[[[True, True, False], [True, True, True]]]]
    """
    own = ops.arange(queries, dtype="int32")[:, None] + past
    future = ops.cast(ops.arange(steps, dtype="int32")[None, :] > own, "float32")
    return ops.expand_dims(future * CAUSAL_BIAS, axis=(0, 1))
