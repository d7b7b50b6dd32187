"""Rows of different lengths: read, padded or grouped, run, and cut again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_seq.serving.errors import InputError
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.inputs import (
    as_array,
    cast,
    check_array,
    check_limits,
    check_shape,
    check_values,
    describe,
    refuse,
)
from keras_seq.serving.tensor_spec import TensorSpec

Run = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def row_dim(spec: TensorSpec) -> str | None:
    """Name of the dimension along which rows of this input may differ: the second one, if it is dynamic."""
    return spec.shape[1] if len(spec.shape) > 1 and isinstance(spec.shape[1], str) else None


@dataclass(frozen=True)
class _Column:
    """One checked input: all its rows end to end, shape `(sum of lengths, ...)`, or whole where rows do not differ."""

    spec: TensorSpec
    values: np.ndarray
    lengths: np.ndarray | None  # (batch,), None where the input has no dimension that rows may differ in

    @property
    def num_rows(self) -> int:
        return len(self.values if self.lengths is None else self.lengths)

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """The rows at `indices` as one array, filled up to the longest of them."""
        if self.lengths is None:
            return self.values[indices]
        lengths = self.lengths[indices]
        if len(indices) == self.num_rows and (lengths == lengths[0]).all():  # as they are
            return self.values.reshape(len(indices), -1, *self.values.shape[1:])
        starts = (np.cumsum(self.lengths) - self.lengths)[indices]
        fill = 0 if self.spec.pad_value is None else self.spec.pad_value  # without one, lengths are equal
        batch = np.full((len(indices), lengths.max(), *self.values.shape[1:]), fill, self.values.dtype)
        for row, start, length in zip(batch, starts, lengths, strict=True):
            row[:length] = self.values[start : start + length]
        return batch


def _read_column(value: Any, spec: TensorSpec, limits: Mapping[str, int]) -> _Column:
    if row_dim(spec) is None:
        array = check_array(value, spec)
        check_limits(array.shape, spec, limits)
        return _Column(spec, array, None)
    if not isinstance(value, (list, tuple)):
        array = check_array(value, spec)
        check_limits(array.shape, spec, limits)
        return _Column(spec, array.reshape(-1, *array.shape[2:]), np.full(array.shape[0], array.shape[1]))
    rows = [as_array(row, spec) for row in value]
    if not rows:
        refuse(spec, "the batch is empty", "a list of 0 rows", "Give at least one row.")
    for i, row in enumerate(rows):
        if row.ndim and len(row) == 0:
            refuse(spec, f"row {i} has length zero", f"{len(rows)} rows", "Leave empty rows out of the batch.")
        if row.ndim != len(spec.shape) - 1:
            mend = "Give a list of rows; for a batch of one, a list with one row in it."
            refuse(spec, f"row {i} has {row.ndim} dimensions, not {len(spec.shape) - 1}", f"row {i}: {row.shape}", mend)
        check_shape(row[np.newaxis], spec)
        check_limits((len(rows), *row.shape), spec, limits, row=i)
        if row.dtype.kind not in "biuf":
            cast(
                row, spec, lambda row, i=i: f"row {i}: {describe(row)}"
            )  # refuses it, before rows of other types are put beside it
        if row.shape[1:] != rows[0].shape[1:]:
            mend = f"Rows may differ along {row_dim(spec)!r} only."
            refuse(spec, f"row {i} has shape {row.shape}, row 0 has {rows[0].shape}", f"{len(rows)} rows", mend)
    lengths = np.array([len(row) for row in rows])
    ends = np.cumsum(lengths)

    def position(index: tuple[int, ...]) -> str:
        row = int(np.searchsorted(ends, index[0], side="right"))
        return str((row, index[0] - int(ends[row] - lengths[row]), *index[1:]))

    def received(flat: np.ndarray) -> str:
        return f"{flat.dtype}, {len(rows)} rows of {lengths.min()} to {lengths.max()} steps"

    values = cast(np.concatenate(rows), spec, received)
    check_values(values, spec, received, position)
    return _Column(spec, values, lengths)


def _row_lengths(columns: Sequence[_Column]) -> dict[str, np.ndarray]:
    """Dimension name to the rows' lengths in it, shape `(batch,)`; refuses inputs that disagree."""
    first = columns[0]
    known: dict[str, _Column] = {}
    for column in columns:
        if column.num_rows != first.num_rows:
            raise InputError(
                f"Inputs must have the same number of rows: {first.spec.name!r} has {first.num_rows}, "
                f"{column.spec.name!r} has {column.num_rows}."
            )
        if column.lengths is None:
            continue
        other = known.setdefault(row_dim(column.spec), column)
        differ = np.flatnonzero(other.lengths != column.lengths)
        if differ.size:
            row = int(differ[0])
            raise InputError(
                f"Row {row} must have one length along {row_dim(column.spec)!r} in every input: {other.spec.name!r} "
                f"has {other.lengths[row]}, {column.spec.name!r} has {column.lengths[row]}."
            )
    return {dim: column.lengths for dim, column in known.items()}


def _groups(columns: Sequence[_Column], lengths: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Row indices of each call to make: all rows in one, or by equal length where padding would change the answer."""
    fixed = {row_dim(c.spec) for c in columns if c.lengths is not None and c.spec.pad_value is None}
    if not fixed:
        return [np.arange(columns[0].num_rows)]
    keys = np.stack([lengths[dim] for dim in sorted(fixed)], axis=1)
    _, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.reshape(-1)  # NumPy 2.0 alone keeps a second dimension here
    return [np.flatnonzero(group == i) for i in range(group.max() + 1)]


def predict_rows(values: Mapping[str, Any], graph: GraphSpec, run: Run) -> dict[str, np.ndarray | list[np.ndarray]]:
    """Run a batch given as lists of rows, each row of its own length.

    Args:
        values: Input name to value, a list of rows at least once; an array counts as rows of equal length.
        graph: The graph's signature.
        run: Runs the graph on arrays.

    Returns:
        Output name to answer, in the order of the rows: a list of arrays, each cut to its row's length, for an output
        with a dynamic dimension beside the batch; an array for any other. A dimension `target`, which no input has, is
        as long as the longest hypothesis of the row, where the graph tells the lengths in an output `lengths`.

    Raises:
        InputError: If anything about the inputs does not suit.
    """
    columns = [_read_column(values[spec.name], spec, graph.limits) for spec in graph.inputs]
    lengths = _row_lengths(columns)
    groups = _groups(columns, lengths)
    answers = [run({c.spec.name: c.rows(indices) for c in columns}) for indices in groups]
    tells = "target" not in lengths and any(spec.name == "lengths" for spec in graph.outputs)
    order = np.argsort(np.concatenate(groups))
    results: dict[str, np.ndarray | list[np.ndarray]] = {}
    for spec in graph.outputs:
        if any(isinstance(dim, str) for dim in spec.shape[1:]):
            rows = []
            for indices, answer in zip(groups, answers, strict=True):
                for i, index in enumerate(indices):
                    sizes = {dim: int(n[index]) for dim, n in lengths.items()}
                    if tells:
                        sizes["target"] = int(answer["lengths"][i].max())
                    rows.append(_cut(answer[spec.name][i], spec, sizes))
            results[spec.name] = [rows[i] for i in order]
        else:
            results[spec.name] = np.concatenate([answer[spec.name] for answer in answers])[order]
    return results


def _cut(row: np.ndarray, spec: TensorSpec, lengths: Mapping[str, int]) -> np.ndarray:
    """One row of an output, shape `spec.shape[1:]`, without what stands for padding."""
    return row[tuple(slice(lengths.get(dim)) for dim in spec.shape[1:])]
