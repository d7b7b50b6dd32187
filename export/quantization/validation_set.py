"""What a quantised graph is tried on: the user's validation data, in batches, under the names of the graph's inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_seq.export.battery import random_inputs
from keras_seq.export.errors import ExportError
from keras_seq.export.quantization.text_inputs import NO_TEXTS, TextInputs
from keras_seq.serving.errors import InputError, listed
from keras_seq.serving.inputs import check_array, name_inputs
from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["Batch", "ValidationSet"]

_ROWS = 32
_RANDOM_SIZES = ((1, 1), (1, 29), (13, 29), (7, 53))


@dataclass(frozen=True)
class Batch:
    """Inputs by name, and what goes with them: targets and weights, or None."""

    inputs: dict[str, np.ndarray]
    targets: Any = None
    weights: Any = None

    @property
    def rows(self) -> int:
        """How many sequences."""
        return len(next(iter(self.inputs.values())))


@dataclass(frozen=True)
class ValidationSet:
    """Batches, and whether they are data or were drawn at random.

    Attributes:
        batches: At least one.
        is_data: False for random inputs, which say how far numbers move, and nothing of the task.
    """

    batches: tuple[Batch, ...]
    is_data: bool = True

    @classmethod
    def of(
        cls, data: Any, specs: Sequence[TensorSpec], texts: TextInputs = NO_TEXTS, others_too: bool = False
    ) -> ValidationSet:
        """Reads what a user gave.

        Args:
            data: `(x, y)` or `(x, y, sample_weight)` of arrays, as `model.evaluate` takes them, or batches of such: a
                `tf.data.Dataset`, a `keras.utils.PyDataset`, a list or a generator. `x` alone will do where there is
                no metric. `x` with several inputs is a dict by name, or a list in their order. Texts will do where the
                input has a tokenizer.
            specs: The inputs of the graph.
            texts: The inputs of ids that texts will do for.
            others_too: Whether inputs that the graph does not take are passed over: a decode loop reads the sources
                of its model alone.

        Raises:
            ExportError: It is none of these, it is empty, or an array does not suit the graph.
        """
        batches = []
        for x, *rest in _given(data):
            named = {
                name: texts.read(name, value) for name, value in _named(texts.rename(x), specs, others_too).items()
            }
            try:
                inputs = {spec.name: check_array(named[spec.name], spec) for spec in specs}
            except InputError as error:
                raise ExportError(f"`validation_data` does not suit the model. {error}") from error
            batches.append(Batch(inputs, *rest))
        if not batches:
            raise ExportError("`validation_data` is empty. Give some tens of sequences that the model has not seen.")
        return cls(tuple(batches))

    @classmethod
    def random(cls, specs: Sequence[TensorSpec], limits: Mapping[str, int]) -> ValidationSet:
        """Inputs drawn at random, for want of data.

        Args:
            specs: The inputs of the graph.
            limits: The largest sizes of their dynamic dimensions.
        """
        rng = np.random.default_rng(17)
        sizes = [(rows, min(time, limits.get("time", time))) for rows, time in _RANDOM_SIZES]
        drawn = [Batch(random_inputs(specs, rng, rows, time, limits=limits)) for rows, time in sizes]
        return cls(tuple(drawn), is_data=False)

    @property
    def rows(self) -> int:
        """How many sequences in all."""
        return sum(batch.rows for batch in self.batches)

    @property
    def has_targets(self) -> bool:
        """Whether every batch has targets."""
        return all(batch.targets is not None for batch in self.batches)

    def first(self, rows: int) -> ValidationSet:
        """The first batches, until they have so many rows; one at least."""
        chosen, count = [], 0
        for batch in self.batches:
            if chosen and count >= rows:
                break
            chosen.append(batch)
            count += batch.rows
        return ValidationSet(tuple(chosen), self.is_data)


def _given(data: Any) -> Iterator[tuple]:
    """Batches `(x,)`, `(x, y)` or `(x, y, sample_weight)`."""
    if isinstance(data, (np.ndarray, Mapping)) or keras.ops.is_tensor(data):
        data = (data,)
    if isinstance(data, keras.utils.PyDataset):
        data = map(data.__getitem__, range(len(data)))  # not a generator expression, which would look up itself
    if not isinstance(data, tuple):
        if not isinstance(data, Iterable):
            raise ExportError(
                "`validation_data` must be a tuple (x, y) of arrays, or batches of such tuples. Received: "
                f"{type(data).__name__}."
            )
        for batch in data:
            yield _checked(batch if isinstance(batch, tuple) else (batch,))
        return
    parts = _checked(data)
    for start in range(0, len(keras.tree.flatten(parts[0])[0]), _ROWS):
        yield tuple(
            None if part is None else keras.tree.map_structure(lambda a, s=start: a[s : s + _ROWS], part)
            for part in parts
        )


def _checked(batch: tuple) -> tuple:
    """The parts of a batch as arrays that have a row for each sequence; targets and weights may be None."""
    if not 1 <= len(batch) <= 3 or batch[0] is None:
        received = "None for x" if batch and batch[0] is None else f"{len(batch)} parts"
        raise ExportError(f"`validation_data` must be (x, y) or (x, y, sample_weight). Received {received}.")
    parts = tuple(None if part is None else _arrays(part) for part in batch)
    arrays = [array for part in parts if part is not None for array in keras.tree.flatten(part)]
    if len({array.shape[:1] for array in arrays}) != 1 or not arrays[0].ndim:
        raise ExportError(
            "the arrays of `validation_data` must have a row for each sequence. Received shapes: "
            f"{', '.join(str(array.shape) for array in arrays) or 'none'}."
        )
    return parts


def _arrays(part: Any) -> Any:
    """Tensors as NumPy arrays, in the structure they came in; a list of texts or of numbers is one array."""
    if isinstance(part, Mapping):
        return {name: _arrays(value) for name, value in part.items()}
    if isinstance(part, (list, tuple)) and any(
        isinstance(leaf, np.ndarray) or keras.ops.is_tensor(leaf) for leaf in keras.tree.flatten(part)
    ):
        return [_arrays(value) for value in part]
    if keras.ops.is_tensor(part) and part.dtype != "string":
        return keras.ops.convert_to_numpy(part)
    try:
        return np.asarray(part)
    except ValueError as error:
        raise ExportError(
            f"`validation_data` holds something that is no array ({error}). Give arrays, with rows padded to one "
            "length, or batches of rows of one length each."
        ) from error


def _named(x: Any, specs: Sequence[TensorSpec], others_too: bool) -> dict[str, Any]:
    names = [spec.name for spec in specs]
    if isinstance(x, (list, tuple)):
        if len(x) < len(specs) or (len(x) > len(specs) and not others_too):
            raise ExportError(
                f"`validation_data` must have an array for each input: {listed(names)}. Received: {len(x)} arrays."
            )
        x = dict(zip(names, x, strict=False))
    if others_too and isinstance(x, Mapping):
        x = {name: value for name, value in x.items() if name in names}
    try:
        return name_inputs(x, specs)
    except InputError as error:
        raise ExportError(f"`validation_data` does not suit the model. {error}") from error
