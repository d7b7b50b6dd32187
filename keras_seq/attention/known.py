"""What is known of a tensor before a graph runs."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq.recurrent.cell import Tensor


def axis_size(tensor: Tensor, axis: int) -> Any:
    """A number where it is known, so that nothing is computed in a graph; otherwise a scalar tensor."""
    size = tensor.shape[axis]
    return ops.shape(tensor)[axis] if size is None else size


def known_values(tensor: Any) -> np.ndarray | None:
    """The values of a tensor or array, or `None` where they are known only when a graph runs."""
    if isinstance(tensor, keras.KerasTensor):
        return None
    if hasattr(tensor, "detach"):  # PyTorch's, of any device
        tensor = tensor.detach().cpu()
    try:
        return np.asarray(tensor)
    except (NotImplementedError, TypeError):  # how TensorFlow and JAX say that a tensor is traced
        return None
