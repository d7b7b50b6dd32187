"""Checks of a decoder's arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_seq.attention.memory_attention import MemoryAttention
from keras_seq.recurrent.cell import StepCell

if TYPE_CHECKING:
    from keras_seq.attention.attention_decoder import AttentionDecoder

ATTEND = ("before", "after")


def check_cells(cells: list[Any]) -> None:
    """Refuses what has no `step`.

    Raises:
        ValueError: where there is no cell.
        TypeError: for a cell that is not one of this library.
    """
    if not cells:
        raise ValueError("`cell` must be a cell or a list of at least one. Received an empty list.")
    for index, cell in enumerate(cells):
        if not isinstance(cell, StepCell):
            raise TypeError(
                "`cell` must be a keras_seq cell, such as GRUCell or LSTMCell, or a list of them; Keras' own cells "
                f"and layers have no `step`. Received: cell {index} is {cell!r}"
            )


def check_arguments(decoder: AttentionDecoder) -> None:
    """Refuses arguments that do not go together.

    Raises:
        ValueError: for a value out of range, an argument that would have no effect, or parts of several dtypes.
        TypeError: for an attention that is not one of this library.
    """
    if decoder.attend not in ATTEND:
        raise ValueError(f"`attend` must be one of {', '.join(ATTEND)}. Received: attend={decoder.attend!r}")
    if decoder.attention is not None and not isinstance(decoder.attention, MemoryAttention):
        raise TypeError(
            "`attention` must be a keras_seq.MemoryAttention, such as BahdanauAttention, or None. "
            f"Received: attention={decoder.attention!r}"
        )
    units = decoder.attention_units
    if not decoder.attends_after:
        if units is not None:
            raise ValueError(
                '`attention_units` goes with an attention and attend="after" alone; otherwise the output is the '
                f"state of the last cell. Received: attention_units={units}"
            )
        if not decoder.input_feeding:
            raise ValueError(
                '`input_feeding=False` goes with an attention and attend="after" alone: with attend="before" the '
                "context is what the cell reads."
            )
    elif units is not None and (not isinstance(units, int) or units < 1):
        raise ValueError(f"`attention_units` must be a positive integer. Received: attention_units={units!r}")
    parts = [*decoder.cells, *([] if decoder.attention is None else [decoder.attention])]
    if {part.compute_dtype for part in parts} != {decoder.compute_dtype}:
        dtypes = ", ".join(f"{part.name}: {part.compute_dtype}" for part in parts)
        raise ValueError(
            f'Layer "{decoder.name}" computes in {decoder.compute_dtype}, and so must its parts. Received: {dtypes}. '
            "Give all the same `dtype`."
        )
