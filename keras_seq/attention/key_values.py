"""What multi-head attention attends to."""

from typing import NamedTuple

from keras_seq.recurrent.cell import Tensor


class KeyValues(NamedTuple):
    """Keys and values of a sequence, projected and split into heads: a memory, or the cache of a decoder.

    Attributes:
        keys: `(batch, heads, steps, key_dim)`.
        values: `(batch, heads, steps, value_dim)`.
    """

    keys: Tensor
    values: Tensor
