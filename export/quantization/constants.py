"""Constants that several nodes share."""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from keras_seq.export.passes.graph_index import GraphIndex

__all__ = ["constant"]


def constant(index: GraphIndex, value: np.ndarray, name: str = "") -> str:
    """The name of a constant of the outermost graph; the same value under the same name is kept once.

    Args:
        index: Of the model, which is changed in place.
        value: Of the constant.
        name: What to call it; by default after its value, for small ones.
    """
    value = np.asarray(value)
    name = name or f"{value.dtype}{value.tolist()}".replace(" ", "")
    tensor = index.tensor(name)
    if tensor is not None:
        known = numpy_helper.to_array(tensor)
        if known.dtype == value.dtype and np.array_equal(known, value):
            return name
    return index.add_constant(np.ascontiguousarray(value).reshape(value.shape), name)
