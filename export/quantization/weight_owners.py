"""Which layer of a Keras model a constant of its graph comes from."""

from __future__ import annotations

import os
from collections.abc import Iterable

import keras
import numpy as np

from keras_seq.export.lowering.native_cell import weight_array

__all__ = ["WeightOwners"]


class WeightOwners:
    """Finds the layers whose weights stand in a constant, by the numbers themselves.

    The names in a graph do not tell: the converter calls what a decode loop reads `Cast_3/ReadVariableOp:0`, and passes
    join weights, cut them and turn them round. But a row or column of a layer's weight stays one.

    Args:
        model: A built model.
    """

    def __init__(self, model: keras.Model) -> None:
        self._paths: dict[bytes, set[str]] = {}
        for variable in model.variables:
            if len(variable.shape) > 1:
                layer = _layer_path(variable.path, model.name)
                for line in _lines(weight_array(variable)):
                    self._paths.setdefault(line.tobytes(), set()).add(layer)

    def of(self, arrays: Iterable[np.ndarray]) -> str:
        """The layers that all these constants are of, by their paths with ` + ` between; empty if none is known."""
        lines = (self._paths.get(line.tobytes(), set()) for array in arrays for line in _lines(array))
        known = {frozenset(layers) for layers in lines if layers}
        found = {layer for layers in known if len(layers) == 1 for layer in layers}
        # A line that several layers have speaks for all of them only where nothing else does for one.
        found = found.union(*(layers for layers in known if not layers & found))
        paths = sorted(found)
        if len(paths) < 2:
            return "".join(paths)
        common = os.path.commonpath(paths)
        return common or " + ".join(paths)


def _lines(array: np.ndarray) -> Iterable[np.ndarray]:
    """Rows and columns of a weight, seen as a matrix of its first axis against the others, and of its last."""
    array = np.asarray(array, "float32")
    for matrix in (array.reshape(len(array), -1), array.reshape(-1, array.shape[-1])):
        for rows in (matrix, np.ascontiguousarray(matrix.T)):
            if rows.shape[1] > 1:
                yield from rows[np.any(rows, axis=1)]


def _layer_path(path: str, model_name: str) -> str:
    """A variable's path without the model and the variable itself."""
    layer = path.rpartition("/")[0]
    return layer.removeprefix(f"{model_name}/") or layer or path
