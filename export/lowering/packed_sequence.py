"""Sequences as ONNX's recurrent operators want them: time-major, valid steps first, a length for each row.

Keras masks may have any pattern; ONNX knows only `sequence_lens`. Stable compaction moves the valid steps of each row
to its front, which is all that a recurrence sees of a mask; the running count of valid steps leads back to where each
output belongs:

    counts[t]          = number of valid steps among 0..t
    output read at t   = packed[counts[t] - 1]              reading forwards
                       = packed[counts[t] - valid[t]]       reading backwards: at a masked step, the next valid one

Where a row has a masked step at all, its last packed step is padding, which ONNX fills with zeros. An index of -1 is
that step: so the outputs before the first valid step are zeros without any further node.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_seq.export.lowering.markers import GraphWriter, Markers

__all__ = ["PackedSequence"]


@dataclass(frozen=True)
class PackedSequence:
    """A batch of sequences, time-major, with the steps that a mask leaves out moved behind the others.

    Attributes:
        markers: Of the tracing.
        steps: (time, batch, features).
        mask: (batch, time) bool, True at the steps to use, or None where all are.
        lengths: (batch,) int32, the number of valid steps, or None without a mask.
    """

    markers: Markers
    steps: tf.Tensor
    mask: tf.Tensor | None = None
    lengths: tf.Tensor | None = None

    @classmethod
    def pack(cls, markers: Markers, sequences: tf.Tensor, mask: tf.Tensor | None) -> PackedSequence:
        """Packs `sequences` (batch, time, features) under `mask` (batch, time)."""
        sequences = tf.cast(sequences, tf.float32)
        if mask is None:
            return cls(markers, tf.transpose(sequences, [1, 0, 2]))
        mask = tf.cast(mask, tf.bool)
        batch, time, features = sequences.shape
        steps, lengths = markers.place(
            _write_pack, [sequences, mask], [(tf.float32, [time, batch, features]), (tf.int32, [batch])]
        )
        return cls(markers, steps, mask, lengths)

    def unpack(
        self, outputs: tf.Tensor, backwards: tuple[bool, ...], *, hold: bool, previous: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Puts a recurrent node's outputs back where their steps came from.

        Args:
            outputs: (time, directions, batch, units), zeros behind each row's length.
            backwards: For each direction, whether it reads from the end.
            hold: What a masked step returns: the output of the valid step that was read last (zeros before the first),
                or zeros.
            previous: (batch, units), instead of those zeros before the first valid step: the output that the previous
                chunk of a stream ended with. For one forward direction.

        Returns:
            (batch, time, units) for one direction, (batch, time, directions, units) for two; always in the order of
            the inputs.
        """
        time, directions, batch, units = outputs.shape
        if self.mask is None:
            if directions == 1:
                return tf.transpose(tf.squeeze(outputs, 1), [1, 0, 2])
            return tf.transpose(outputs, [2, 0, 1, 3])

        def emit(writer: GraphWriter, names: list[str]) -> list[str]:
            return _write_unpack(writer, names, backwards, units, hold)

        inputs = [outputs, self.mask]
        inputs += [previous] if previous is not None and hold else []
        shape = [batch, time, units] if directions == 1 else [batch, time, directions, units]
        return self.markers.place(emit, inputs, [(tf.float32, shape)])[0]


def _axes(writer: GraphWriter, *axes: int) -> str:
    return writer.constant(np.array(axes, "int64"), "axes_" + "_".join(map(str, axes)))


def _valid(writer: GraphWriter, mask: str) -> str:
    return writer.node("Cast", [mask], to=7)[0]  # int64, which indices must be


def _counts(writer: GraphWriter, valid: str) -> str:
    return writer.node("CumSum", [valid, writer.constant(np.int64(1), "time_axis")])[0]


def _write_pack(writer: GraphWriter, names: list[str]) -> list[str]:
    sequences, mask = names
    valid = _valid(writer, mask)
    (count,) = writer.node("ReduceSum", [valid, _axes(writer, 1)], keepdims=0)
    (lengths,) = writer.node("Cast", [count], to=6)  # int32
    (time,) = writer.node("Shape", [mask], start=1, end=2)
    # Valid steps get a rank each, the earlier the higher, so that the order does not hang on how TopK settles ties (by
    # the lower index, says ONNX, but not every runtime keeps to it); the order of the others is of no account.
    (rank,) = writer.node("Sub", [writer.constant(np.int64(2**40), "any_length"), _counts(writer, valid)])
    (rank,) = writer.node("Mul", [rank, valid])
    _, order = writer.node("TopK", [rank, time], 2, axis=1)
    (order,) = writer.node("Unsqueeze", [order, _axes(writer, 2)])
    (packed,) = writer.node("GatherND", [sequences, order], batch_dims=1)
    (steps,) = writer.node("Transpose", [packed], perm=[1, 0, 2])
    return [steps, lengths]


def _write_unpack(
    writer: GraphWriter, names: list[str], backwards: tuple[bool, ...], units: int, hold: bool
) -> list[str]:
    outputs, mask, *previous = names
    directions = len(backwards)
    valid = _valid(writer, mask)
    counts = _counts(writer, valid)
    one = writer.constant(np.int64(1), "one")
    if previous:
        (first,) = writer.node("Unsqueeze", [previous[0], _axes(writer, 0, 1)])
        (outputs,) = writer.node("Concat", [first, outputs], axis=0)
        sources = [counts]
    elif hold:
        sources = [writer.node("Sub", [counts, valid if b else one])[0] for b in backwards]
    else:
        (kept,) = writer.node("Mul", [counts, valid])
        sources = [writer.node("Sub", [kept, one])[0]] * directions
    if directions == 1:
        (source,) = writer.node("Unsqueeze", [sources[0], _axes(writer, 2)])
        (flat,) = writer.node("Squeeze", [outputs, _axes(writer, 1)])
        (flat,) = writer.node("Transpose", [flat], perm=[1, 0, 2])
        return writer.node("GatherND", [flat, source], batch_dims=1)
    # Seen as (batch, time * 2, units), step s of direction d is row 2 s + d; and s = -1 is still the last step.
    columns = [writer.node("Unsqueeze", [source, _axes(writer, 2)])[0] for source in dict.fromkeys(sources)]
    source = columns[0] if len(columns) == 1 else writer.node("Concat", columns, axis=2)[0]
    (source,) = writer.node("Mul", [source, writer.constant(np.int64(2), "two")])
    (source,) = writer.node("Add", [source, writer.constant(np.array([0, 1], "int64"), "directions")])
    (source,) = writer.node("Unsqueeze", [source, _axes(writer, 3)])
    (flat,) = writer.node("Transpose", [outputs], perm=[2, 0, 1, 3])
    (flat,) = writer.node("Reshape", [flat, writer.constant(np.array([0, -1, units], "int64"), f"rows_{units}")])
    return writer.node("GatherND", [flat, source], batch_dims=1)
