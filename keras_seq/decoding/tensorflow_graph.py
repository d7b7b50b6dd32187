"""The decode loop's two primitives in TensorFlow's own operations, for graphs that are to be lean.

`keras.ops.take` mends negative indices, with five operations; `keras.ops.while_loop` has no growing states and keeps no
history.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import tree


def gather_rows(table: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
    """`table[indices]` for indices that are known to be within."""
    return tf.gather(table, indices)


def run_steps(
    body: Callable[[tf.Tensor, Any], tuple[Any, dict[str, tf.Tensor], tf.Tensor]],
    carried: Any,
    max_steps: tf.Tensor | int,
    records: dict[str, tuple[str, int]],
    growing: Any = None,
) -> tuple[tf.Tensor, Any, dict[str, tf.Tensor]]:
    """`keras_seq.decoding.loop.run_steps` as one `tf.while_loop`."""
    arrays = {
        name: tf.TensorArray(dtype, size=0, dynamic_size=True, element_shape=[None] * rank)
        for name, (dtype, rank) in records.items()
    }

    if growing is None:
        growing = tree.map_structure(lambda tensor: None, carried)

    def condition(step, more, carried, arrays):
        return tf.logical_and(step < max_steps, more)

    def loop_body(step, more, carried, arrays):
        carried, record, more = body(step, carried)
        return step + 1, more, carried, {name: array.write(step, record[name]) for name, array in arrays.items()}

    invariants = (
        tf.TensorShape([]),
        tf.TensorShape([]),
        tree.map_structure(_invariant, carried, growing),
        {name: tf.TensorShape(None) for name in arrays},
    )
    start = (tf.zeros([], tf.int32), tf.ones([], tf.bool), carried, arrays)
    steps, _, carried, arrays = tf.while_loop(condition, loop_body, start, shape_invariants=invariants)
    return steps, carried, {name: array.stack() for name, array in arrays.items()}


def _invariant(tensor: tf.Tensor, growing: int | None) -> tf.TensorShape:
    """The shape that a carried tensor keeps: rows may be any number, an axis that grows or has size 0 too."""
    shape = tensor.shape.as_list()
    return tf.TensorShape([None if axis in (0, growing) or size == 0 else size for axis, size in enumerate(shape)])
