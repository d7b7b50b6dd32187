"""A loop of steps that stops by itself and keeps a history, on every backend."""

from collections.abc import Callable
from typing import Any

from keras import ops
from keras.src import backend

from keras_seq.recurrent.cell import Tensor


def gather_rows(table: Tensor, indices: Tensor) -> Tensor:
    """`table[indices]` along the first axis, for indices that are known to be within: one operation in a graph.

    Args:
        table: `(size, …)`.
        indices: integers of any shape, at least 0 and less than `size`.

    Returns:
        `(*indices.shape, …)`.

    Example:
    >>> from keras import ops
    >>> from keras_seq.decoding import gather_rows
    >>> ops.convert_to_numpy(gather_rows(ops.arange(10, 15), ops.array([4, 0]))).tolist()
    [14, 10]
    """
    if backend.backend() == "tensorflow":
        from keras_seq.decoding import tensorflow_graph

        return tensorflow_graph.gather_rows(table, indices)
    return ops.take(table, indices, axis=0)


def repeat_rows(tensor: Tensor, times: int) -> Tensor:
    """Each row so many times, the copies neighbours: `(rows, …)` to `(rows * times, …)`.

    Example:
    >>> from keras import ops
    >>> from keras_seq.decoding.loop import repeat_rows
    >>> ops.convert_to_numpy(repeat_rows(ops.array([4, 7]), 2)).tolist()
    [4, 4, 7, 7]
    """
    if times == 1:
        return tensor
    sizes = ops.shape(tensor)[1:]
    copies = ops.tile(ops.expand_dims(tensor, axis=1), (1, times, *[1] * len(sizes)))
    return ops.reshape(copies, (-1, *sizes))


def run_steps(
    body: Callable[[Tensor, Any], tuple[Any, dict[str, Tensor], Tensor]],
    carried: Any,
    max_steps: int | Tensor,
    records: dict[str, tuple[str, int]],
    growing: Any = None,
) -> tuple[Tensor, Any, dict[str, Tensor]]:
    """Runs `body` as long as there is more to do, at least once and at most `max_steps` times.

    Under TensorFlow this is one `tf.while_loop`, eager or in a graph; under the other backends a loop in Python.

    Args:
        body: `body(step, carried) -> (carried, record, more)`. `step` counts from 0; `record` holds the tensors
            to keep of this step; `more` is a scalar boolean.
        carried: what the first step starts with: a nest of tensors with the rows first. Their shapes stay, but for an
            axis of size 0, which may grow.
        max_steps: at least 1, a number or a scalar integer.
        records: dtype and number of axes of each tensor in `record`.
        growing: a nest like `carried` of the axes that may grow whatever their size, `None` where there is none.

    Returns:
        The number of steps made, what the last one carried, and the records, each with the steps as its first axis.
    """
    if backend.backend() == "tensorflow":
        from keras_seq.decoding import tensorflow_graph

        return tensorflow_graph.run_steps(body, carried, max_steps, records, growing)
    history, step, more = [], 0, True
    while more and step < int(max_steps):
        carried, record, more = body(ops.convert_to_tensor(step, "int32"), carried)
        history.append(record)
        step += 1
    stacked = {name: ops.stack([record[name] for record in history]) for name in records}
    return ops.convert_to_tensor(step, "int32"), carried, stacked
