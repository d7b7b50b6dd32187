"""A native ONNX recurrent node, placed into a tracing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_seq.export.lowering.markers import GraphWriter, Markers
from keras_seq.export.lowering.native_cell import NativeCell

__all__ = ["RecurrentNode"]


@dataclass(frozen=True)
class RecurrentNode:
    """An ONNX `RNN`, `GRU` or `LSTM` node.

    Attributes:
        cells: One cell, or two for a bidirectional node.
        backwards: For one cell, whether it reads from the end.
    """

    cells: tuple[NativeCell, ...]
    backwards: bool = False

    def place(
        self,
        markers: Markers,
        steps: tf.Tensor,
        lengths: tf.Tensor | None,
        states: list[tf.Tensor] | None,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Puts the node into the graph being traced.

        Args:
            markers: Of the tracing.
            steps: (time, batch, features).
            lengths: (batch,) int32, or None where all steps count.
            states: Initial states, each (directions, batch, units), or None for zeros.

        Returns:
            The outputs (time, directions, batch, units), zeros behind each length, and the final states, each
            (directions, batch, units).
        """
        inputs = [tf.cast(steps, tf.float32)]
        inputs += [] if lengths is None else [lengths]
        inputs += [tf.cast(state, tf.float32) for state in states or []]

        def emit(writer: GraphWriter, names: list[str]) -> list[str]:
            names = list(names)
            x = names.pop(0)
            sequence_lens = names.pop(0) if lengths is not None else ""
            initial = names or ["", ""]
            return self._write(writer, x, sequence_lens, initial)

        directions, cell = len(self.cells), self.cells[0]
        batch = steps.shape[1]
        state_shape = (tf.float32, [directions, batch, cell.units])
        outputs, *finals = markers.place(
            emit,
            inputs,
            [(tf.float32, [steps.shape[0], directions, batch, cell.units]), *[state_shape] * len(cell.state_names)],
        )
        return outputs, finals

    def _write(self, writer: GraphWriter, x: str, sequence_lens: str, initial: list[str]) -> list[str]:
        cell = self.cells[0]
        prefix = "+".join(c.name for c in self.cells)
        weights = {
            key: writer.constant(np.stack([c.weights[key] for c in self.cells]), f"{prefix}.{key}")
            for key in cell.weights
        }
        inputs = [x, weights["W"], weights["R"], weights["B"], sequence_lens, initial[0]]
        if cell.operator == "LSTM":
            inputs += [initial[1], weights.get("P", "")]
        return writer.node(cell.operator, inputs, 1 + len(cell.state_names), **self._attributes())

    def _attributes(self) -> dict:
        cell = self.cells[0]
        activations = [activation for c in self.cells for activation in c.activations]
        alphas = [float(a.alpha) for a in activations if a.alpha is not None]
        betas = [float(a.beta) for a in activations if a.beta is not None]
        directions = ("reverse" if self.backwards else "forward", "bidirectional")
        return {
            "hidden_size": cell.units,
            "direction": directions[len(self.cells) - 1],
            "activations": [activation.name for activation in activations],
            **({"activation_alpha": alphas} if alphas else {}),
            **({"activation_beta": betas} if betas else {}),
            **({"linear_before_reset": int(cell.linear_before_reset)} if cell.operator == "GRU" else {}),
        }
