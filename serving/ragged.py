"""Rows of different lengths, of one caller or of many: read, padded or grouped, run, and given back again."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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
    check_sizes,
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

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the rows as one array, where their lengths are equal."""
        shape = self.values.shape
        return shape if self.lengths is None else (len(self.lengths), int(self.lengths[0]), *shape[1:])

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


def _unpadded(columns: Sequence[_Column]) -> list[str]:
    """Names of the dimensions that cannot be padded, as the graph would take the padding for steps."""
    return sorted({row_dim(c.spec) for c in columns if c.lengths is not None and c.spec.pad_value is None})


def _groups(columns: Sequence[_Column], lengths: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Row indices of each call to make: all rows in one, or by equal length where padding would change the answer."""
    fixed = _unpadded(columns)
    if not fixed:
        return [np.arange(columns[0].num_rows)]
    keys = np.stack([lengths[dim] for dim in fixed], axis=1)
    _, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.reshape(-1)  # NumPy 2.0 alone keeps a second dimension here
    return [np.flatnonzero(group == i) for i in range(group.max() + 1)]


@dataclass(frozen=True)
class Rows:
    """One caller's rows, read and checked: what a call of the graph takes, alone or together with others' rows.

    Make one with `read_rows`; `run_together` runs any number.

    Attributes:
        graph: The graph's signature.
        columns: Input by input, in the order of the graph's.
        lengths: Dimension name to the rows' lengths in it, shape `(batch,)`.
        whole: Given as arrays throughout, so that the answers are arrays too.
    """

    graph: GraphSpec
    columns: tuple[_Column, ...]
    lengths: Mapping[str, np.ndarray]
    whole: bool

    def __len__(self) -> int:
        return self.columns[0].num_rows

    @cached_property
    def length(self) -> int:
        """Steps of the longest row, 1 where rows have none."""
        return max((int(lengths.max()) for lengths in self.lengths.values()), default=1)

    @cached_property
    def num_tokens(self) -> int:
        """Steps of all rows together, without padding."""
        return max((int(lengths.sum()) for lengths in self.lengths.values()), default=len(self))

    @property
    def sizes(self) -> Hashable:
        """Sizes of all dimensions but the batch and the rows' lengths: equal for rows that can share a call."""
        return tuple(column.values.shape[1:] for column in self.columns)

    @property
    def fixed_lengths(self) -> Hashable:
        """The rows' lengths in dimensions that cannot be padded; None in the place of one where they differ."""
        lengths = [self.lengths[dim] for dim in _unpadded(self.columns)]
        return tuple(int(n[0]) if (n == n[0]).all() else None for n in lengths)


def read_rows(values: Mapping[str, Any], graph: GraphSpec) -> Rows:
    """Reads and checks everything that one caller gives.

    Args:
        values: Input name to value: an array, or a list of rows, each of its own length. An array beside a list counts
            as rows of equal length.
        graph: The graph's signature.

    Raises:
        InputError: If anything about the inputs does not suit.
    """
    whole = not any(isinstance(values[spec.name], (list, tuple)) and row_dim(spec) for spec in graph.inputs)
    columns = tuple(_read_column(values[spec.name], spec, graph.limits) for spec in graph.inputs)
    if whole:
        check_sizes([(column.spec, column.shape) for column in columns])
    return Rows(graph, columns, _row_lengths(columns), whole)


def run_together(requests: Sequence[Rows], run: Run) -> list[dict[str, np.ndarray | list[np.ndarray]]]:
    """Runs the rows of several callers in as few calls as there can be.

    Rows are padded to the longest where the graph masks padding; where it does not, rows of one length make one call.

    Args:
        requests: Rows for one graph, with one size in every dimension but the batch and that of the rows' lengths.
        run: Runs the graph on arrays.

    Returns:
        For each caller the answer that its rows get alone, output name to value. For rows given as a list: a list of
        arrays, each cut to its row's length, for an output with a dynamic dimension beside the batch; an array for any
        other. For arrays: arrays. A dimension `target`, which no input has, is as long as the longest hypothesis, of
        the row or of the array, where the graph tells the lengths in an output `lengths`.
    """
    columns = _merge(requests)
    lengths = {dim: _joined([request.lengths[dim] for request in requests]) for dim in requests[0].lengths}
    groups = _groups(columns, lengths)
    answers = [run({column.spec.name: column.rows(indices) for column in columns}) for indices in groups]
    places = np.empty((columns[0].num_rows, 2), int)  # of each row: which call, and which row there
    for i, indices in enumerate(groups):
        places[indices, 0], places[indices, 1] = i, np.arange(len(indices))
    results, start = [], 0
    for request in requests:
        mine = places[start : start + len(request)]
        results.append(_whole(request, answers, mine) if request.whole else _by_row(request, answers, mine))
        start += len(request)
    return results


def _merge(requests: Sequence[Rows]) -> tuple[_Column, ...]:
    """The columns of all callers, end to end."""
    if len(requests) == 1:
        return requests[0].columns
    return tuple(
        _Column(
            columns[0].spec,
            np.concatenate([column.values for column in columns]),
            None if columns[0].lengths is None else np.concatenate([column.lengths for column in columns]),
        )
        for columns in zip(*(request.columns for request in requests), strict=True)
    )


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


Answers = Sequence[Mapping[str, np.ndarray]]


def _whole(request: Rows, answers: Answers, places: np.ndarray) -> dict[str, np.ndarray]:
    """The answer for arrays. Their rows have one length, so they all went into one call, one after the other."""
    answer = answers[places[0, 0]]
    first, last = int(places[0, 1]), int(places[-1, 1]) + 1
    sizes = {dim: int(lengths[0]) for dim, lengths in request.lengths.items()}
    if _tells_target(request):
        sizes["target"] = int(answer["lengths"][first:last].max())
    return {spec.name: answer[spec.name][(slice(first, last), *_cuts(spec, sizes))] for spec in request.graph.outputs}


def _by_row(request: Rows, answers: Answers, places: np.ndarray) -> dict[str, np.ndarray | list[np.ndarray]]:
    """The answer for a list of rows."""
    sizes = [{dim: int(lengths[i]) for dim, lengths in request.lengths.items()} for i in range(len(request))]
    if _tells_target(request):
        for size, (call, row) in zip(sizes, places, strict=True):
            size["target"] = int(answers[call]["lengths"][row].max())
    results: dict[str, np.ndarray | list[np.ndarray]] = {}
    for spec in request.graph.outputs:
        rows = [answers[call][spec.name][row] for call, row in places]
        if any(isinstance(dim, str) for dim in spec.shape[1:]):
            results[spec.name] = [row[_cuts(spec, size)] for row, size in zip(rows, sizes, strict=True)]
        else:
            results[spec.name] = np.stack(rows)
    return results


def _tells_target(request: Rows) -> bool:
    return "target" not in request.lengths and any(spec.name == "lengths" for spec in request.graph.outputs)


def _cuts(spec: TensorSpec, sizes: Mapping[str, int]) -> tuple[slice, ...]:
    """What takes one row of an output, shape `spec.shape[1:]`, without what stands for padding."""
    return tuple(slice(sizes.get(dim)) for dim in spec.shape[1:])
