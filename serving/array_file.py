"""Files of arrays in the formats of NumPy, with rows of different lengths among them."""

import zipfile
from io import BytesIO
from typing import Any

import numpy as np

from keras_seq.serving.errors import InputError

LENGTHS = ".lengths"
"""What the name of an array of lengths ends with."""


def read_array_file(data: bytes, name: str) -> dict[str, Any]:
    """Reads arrays by name, of which some may be rows of different lengths.

    Such rows lie end to end under `NAME`, and their lengths under `NAME.lengths`.

    Args:
        data: The content of an `.npz` file, or of an `.npy` file: an array without a name.
        name: The file's, for messages.

    Returns:
        Name to array, or to a list of rows; `""` is the name of the array that has none.

    Raises:
        InputError: If it is neither, is damaged, or holds something else than arrays with rows.
    """
    try:
        loaded = np.load(BytesIO(data), allow_pickle=False)
        arrays = {"": loaded} if isinstance(loaded, np.ndarray) else {key: loaded[key] for key in loaded.files}
        if not arrays or not all(isinstance(array, np.ndarray) and array.ndim for array in arrays.values()):
            raise ValueError("it holds something else")
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{name} is no file of plain arrays of rows, or it is damaged: {error}.") from None
    values: dict[str, Any] = {}
    for key, array in arrays.items():
        if key.endswith(LENGTHS) and key.removesuffix(LENGTHS) in arrays:
            continue
        lengths = arrays.get(key + LENGTHS)
        values[key] = array if lengths is None else _cut(array, lengths, key, name)
    return values


def _cut(array: np.ndarray, lengths: np.ndarray, key: str, name: str) -> list[np.ndarray]:
    whole = lengths.ndim == 1 and lengths.dtype.kind in "iu"
    if not whole or (lengths < 0).any() or int(lengths.sum()) != len(array):
        raise InputError(
            f"{name}: {key + LENGTHS!r} must be integers that add up to the {len(array)} entries of {key!r}. "
            f"Received: {lengths.dtype} {lengths.shape}."
        )
    return np.split(array, np.cumsum(lengths)[:-1]) if len(lengths) else []
