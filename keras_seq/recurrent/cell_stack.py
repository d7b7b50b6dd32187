"""Cells on top of one another, in one time step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from keras_seq.recurrent.cell import StepCell, Tensor, gate_matmul


class CellWeights(NamedTuple):
    """The weights of one cell in a step.

    Of the first cell, whose inputs are projected before the step, `kernel` is the part for what is fed to it at the
    step, if anything is, and `bias` is `None`.
    """

    kernel: Tensor | None
    bias: Tensor | None
    recurrent: tuple[Tensor | None, ...]


class CellDropout(NamedTuple):
    """The dropout masks of one cell in a step; of the first cell `inputs` is the part for what is fed to it."""

    inputs: Any = None
    recurrent: Any = None


def run_cells(
    cells: Sequence[StepCell],
    projected: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[CellWeights],
    dropout: Sequence[CellDropout] | None = None,
    residual: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """One time step of all cells, each reading the output of the one below.

    Args:
        cells: the cells, the first below.
        projected: `(rows, gates * units)`, the first cell's projected inputs.
        states: those of all cells, each `(rows, units)`, the first cell's first.
        weights: of each cell.
        dropout: of each cell; `None` for none.
        residual: whether each cell from the second on adds its input to its output.

    Returns:
        The output of the last cell, `(rows, units)`, and the new states.
    """
    dropout = [CellDropout()] * len(cells) if dropout is None else dropout
    output, states, new_states = None, list(states), []
    for cell, (kernel, bias, recurrent), masks in zip(cells, weights, dropout, strict=True):
        below = output
        if below is not None:
            projected = gate_matmul(below, kernel, masks.inputs)
            projected = projected if bias is None else projected + bias
        own, states = states[: len(cell.state_names)], states[len(cell.state_names) :]
        output, new = cell.step(projected, own, recurrent, masks.recurrent)
        new_states.extend(new)
        if residual and below is not None:
            output = output + below
    return output, new_states
