"""Rows of different lengths, of one caller or of many: read, padded or grouped, run, and given back again."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

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


class _Block(NamedTuple):
    """Rows of equal lengths, checked: an array of one caller's for each input, or one row of its list."""

    arrays: tuple[np.ndarray, ...]  # in the order of the graph's inputs, each (rows, ...)
    lengths: tuple[int, ...]  # along each of `_row_dims`

    @property
    def num_rows(self) -> int:
        return len(self.arrays[0])


def _row_dims(graph: GraphSpec) -> list[str]:
    """Names of the dimensions along which rows may differ."""
    return list(dict.fromkeys(dim for spec in graph.inputs if (dim := row_dim(spec)) is not None))


def _unpadded(graph: GraphSpec) -> list[int]:
    """Which of `_row_dims` cannot be padded, as the graph would take the padding for steps."""
    fixed = {row_dim(spec) for spec in graph.inputs if spec.pad_value is None}
    return [i for i, dim in enumerate(_row_dims(graph)) if dim in fixed]


def _read_array(value: Any, spec: TensorSpec, limits: Mapping[str, int]) -> np.ndarray:
    array = check_array(value, spec)
    if limits:
        check_limits(array.shape, spec, limits)
    return array


def _read_list(value: Any, spec: TensorSpec, limits: Mapping[str, int]) -> list[np.ndarray]:
    """The rows of an input, each `(1, ...)`."""
    if row_dim(spec) is None or not isinstance(value, (list, tuple)):
        array = _read_array(value, spec, limits)
        return [array[i : i + 1] for i in range(len(array))]
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
    return [values[np.newaxis, end - length : end] for end, length in zip(ends, lengths, strict=True)]


def _check_lengths(columns: Sequence[Sequence[np.ndarray]], graph: GraphSpec):
    """Refuse inputs that disagree on the number of rows or on their lengths."""
    first = graph.inputs[0]
    known: dict[str, tuple[TensorSpec, list[int]]] = {}
    for spec, rows in zip(graph.inputs, columns, strict=True):
        if len(rows) != len(columns[0]):
            raise InputError(
                f"Inputs must have the same number of rows: {first.name!r} has {len(columns[0])}, "
                f"{spec.name!r} has {len(rows)}."
            )
        dim = row_dim(spec)
        if dim is None:
            continue
        lengths = [row.shape[1] for row in rows]
        other, others = known.setdefault(dim, (spec, lengths))
        if lengths != others:
            row = next(i for i, (one, two) in enumerate(zip(lengths, others, strict=True)) if one != two)
            raise InputError(
                f"Row {row} must have one length along {dim!r} in every input: {other.name!r} has {others[row]}, "
                f"{spec.name!r} has {lengths[row]}."
            )


@dataclass(frozen=True)
class Rows:
    """One caller's rows, read and checked: what a call of the graph takes, alone or together with others' rows.

    Make one with `read_rows`; `run_together` runs any number.

    Attributes:
        graph: The graph's signature.
        blocks: The rows: one block for arrays, one a row for lists.
        whole: Given as arrays throughout, so that the answers are arrays too.
    """

    graph: GraphSpec
    blocks: tuple[_Block, ...]
    whole: bool

    def __len__(self) -> int:
        return self.blocks[0].num_rows if self.whole else len(self.blocks)

    @cached_property
    def length(self) -> int:
        """Steps of the longest row, 1 where rows have none."""
        return max(max(block.lengths, default=1) for block in self.blocks)

    @cached_property
    def num_tokens(self) -> int:
        """Steps of all rows together, without padding."""
        lengths = zip(*(block.lengths for block in self.blocks), strict=True)
        return self.blocks[0].num_rows * max(map(sum, lengths), default=len(self.blocks))

    @cached_property
    def sizes(self) -> Hashable:
        """Sizes of all dimensions but the batch and the rows' lengths: equal for rows that can share a call."""
        arrays = zip(self.graph.inputs, self.blocks[0].arrays, strict=True)
        return tuple(array.shape[1 if row_dim(spec) is None else 2 :] for spec, array in arrays)

    @property
    def fixed_lengths(self) -> Hashable:
        """The rows' lengths in dimensions that cannot be padded; None in the place of one where they differ."""
        fixed = _unpadded(self.graph)
        lengths = ({block.lengths[i] for block in self.blocks} for i in fixed)
        return tuple(found.pop() if len(found) == 1 else None for found in lengths)


def read_rows(values: Mapping[str, Any], graph: GraphSpec) -> Rows:
    """Reads and checks everything that one caller gives.

    Args:
        values: Input name to value: an array, or a list of rows, each of its own length. An array beside a list counts
            as rows of equal length.
        graph: The graph's signature.

    Raises:
        InputError: If anything about the inputs does not suit.
    """
    dims, limits = _row_dims(graph), graph.limits
    if any(isinstance(values[spec.name], (list, tuple)) and row_dim(spec) for spec in graph.inputs):
        columns = [_read_list(values[spec.name], spec, limits) for spec in graph.inputs]
        _check_lengths(columns, graph)
        measured = {row_dim(spec): rows for spec, rows in zip(graph.inputs, columns, strict=True)}
        lengths = zip(*([row.shape[1] for row in measured[dim]] for dim in dims), strict=True)
        return Rows(graph, tuple(map(_Block, zip(*columns, strict=True), lengths)), whole=False)
    arrays = tuple(_read_array(values[spec.name], spec, limits) for spec in graph.inputs)
    sizes = check_sizes([(spec, array.shape) for spec, array in zip(graph.inputs, arrays, strict=True)])
    return Rows(graph, (_Block(arrays, tuple(sizes[dim] for dim in dims)),), whole=True)


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
    graph = requests[0].graph
    fixed = _unpadded(graph)
    calls: dict[tuple[int, ...], list[_Block]] = {}
    for request in requests:
        for block in request.blocks:
            calls.setdefault(tuple(block.lengths[i] for i in fixed), []).append(block)
    found: dict[int, tuple[dict[str, np.ndarray], slice]] = {}  # of each block: the call's answer, and its rows there
    for blocks in calls.values():
        answer, start = run(_join(blocks, graph)), 0
        for block in blocks:
            found[id(block)] = answer, slice(start, start + block.num_rows)
            start += block.num_rows
    dims = _row_dims(graph)
    tells_target = "target" not in dims and any(spec.name == "lengths" for spec in graph.outputs)

    def answers(request: Rows) -> list[dict[str, np.ndarray]]:
        """What each block gets."""
        cut = []
        for block in request.blocks:
            answer, rows = found[id(block)]
            sizes = dict(zip(dims, block.lengths, strict=True))
            if tells_target:
                sizes["target"] = int(answer["lengths"][rows].max())
            cut.append({spec.name: answer[spec.name][(rows, *_cuts(spec, sizes))] for spec in graph.outputs})
        return cut

    return [answers(request)[0] if request.whole else _by_row(answers(request), graph) for request in requests]


def _join(blocks: Sequence[_Block], graph: GraphSpec) -> dict[str, np.ndarray]:
    """The rows of all blocks as one array for each input, filled up to the longest."""
    if len(blocks) == 1:
        return {spec.name: array for spec, array in zip(graph.inputs, blocks[0].arrays, strict=True)}
    feeds = {}
    for spec, arrays in zip(graph.inputs, zip(*(block.arrays for block in blocks), strict=True), strict=True):
        longest = max(array.shape[1] for array in arrays) if row_dim(spec) is not None else None
        if longest is None or all(array.shape[1] == longest for array in arrays):
            feeds[spec.name] = np.concatenate(arrays)
            continue
        rows = sum(map(len, arrays))
        batch = np.full((rows, longest, *arrays[0].shape[2:]), spec.pad_value, arrays[0].dtype)
        start = 0
        for array in arrays:
            batch[start : start + len(array), : array.shape[1]] = array
            start += len(array)
        feeds[spec.name] = batch
    return feeds


def _by_row(answers: Sequence[Mapping[str, np.ndarray]], graph: GraphSpec) -> dict[str, np.ndarray | list[np.ndarray]]:
    """The answers of blocks of one row each, put together."""
    results: dict[str, np.ndarray | list[np.ndarray]] = {}
    for spec in graph.outputs:
        rows = [answer[spec.name] for answer in answers]
        dynamic = any(isinstance(dim, str) for dim in spec.shape[1:])
        results[spec.name] = [row[0] for row in rows] if dynamic else np.concatenate(rows)
    return results


def _cuts(spec: TensorSpec, sizes: Mapping[str, int]) -> tuple[slice, ...]:
    """What takes rows of an output, each of `spec.shape[1:]`, without what stands for padding."""
    return tuple(slice(sizes.get(dim)) for dim in spec.shape[1:])
