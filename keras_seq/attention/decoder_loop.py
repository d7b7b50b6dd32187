"""A decoder over a whole target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras import ops

from keras_seq.attention.decoder_step import Feedback, State
from keras_seq.attention.memory import Memory
from keras_seq.recurrent.cell import Tensor
from keras_seq.recurrent.cell_stack import CellDropout
from keras_seq.recurrent.loop import run_loop

if TYPE_CHECKING:
    from keras_seq.attention.attention_decoder import AttentionDecoder


def run_decoder(
    decoder: AttentionDecoder,
    projected: Tensor,
    state: State,
    memory: Memory | None,
    mask: Tensor | None,
    *,
    dropout: Sequence[CellDropout] | None = None,
    feedback: Feedback | None = None,
    return_attention_scores: bool = False,
) -> tuple[Tensor, State, Tensor | None]:
    """Makes the decoder's `step` along the time axis.

    Args:
        decoder: whose `step` it is.
        projected: the projected inputs of all steps, `(batch, time, gates * units)`.
        state: the state before the first step.
        memory: what the steps attend to.
        mask: `None` or booleans `(batch, time)`.
        dropout: the dropout masks of the cells.
        feedback: see `AttentionDecoder`.
        return_attention_scores: whether the scores are wanted.

    Returns:
        The outputs `(batch, time, output_size)`, the final state, and the scores `(batch, time, steps)` or `None`.
    """
    weights, names, size = decoder.step_weights(), list(state), decoder.output_size
    rows, time, gates = ops.shape(projected)[0], ops.shape(projected)[1], projected.shape[-1]
    if feedback is not None:
        # The loop hands its steps one tensor: the index of the step is its last column, and exact in float32.
        positions = ops.broadcast_to(ops.arange(time, dtype="float32")[None, :, None], (rows, time, 1))
        projected = ops.concatenate([ops.cast(projected, "float32"), positions], axis=-1)

    def step(inputs: Tensor, carried: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        record, *states = carried
        if feedback is not None:
            position, inputs = ops.cast(inputs[0, gates], "int32"), ops.cast(inputs[:, :gates], decoder.compute_dtype)
            own, chosen = feedback(record[:, :size], position)
            inputs = ops.where(ops.logical_and(chosen, position > 0), own, inputs)
        output, new_state, scores = decoder.step(
            inputs, dict(zip(names, states, strict=True)), memory, weights, dropout=dropout
        )
        record = ops.concatenate([output, scores], axis=-1) if return_attention_scores else output
        return record, [record, *(new_state[name] for name in names)]

    # What a step returns is carried along too: `feedback` wants it, and the loop an output like its first state.
    scores_size = ops.shape(memory.values)[1] if return_attention_scores else 0
    record = ops.zeros((rows, size + scores_size), decoder.compute_dtype)
    _, records, (_, *states) = run_loop(step, projected, [record, *state.values()], mask)
    state = dict(zip(names, states, strict=True))
    if not return_attention_scores:
        return records, state, None
    # Where the number of steps is not known, the size of a part of the records would not be either.
    return ops.reshape(records[..., :size], (rows, time, size)), state, records[..., size:]
