"""One turn of the decode loop: the model's step, and the strategy's choice."""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_seq.decoding.decoding import Decoding
from keras_seq.decoding.loop import repeat_rows
from keras_seq.decoding.state import check_state, reorder
from keras_seq.decoding.strategy import Run, Strategy
from keras_seq.recurrent.cell import Tensor


def decode_step(
    decoding: Decoding, strategy: Strategy, run: Run, start_id: int, growing: Any
) -> Callable[[Tensor, Any], tuple[Any, dict[str, Tensor], Tensor]]:
    """The body of the loop, for `run_steps`.

    Args:
        decoding: the model's step and its first state.
        strategy: how to choose.
        run: what the strategy knows.
        start_id: the id that is put in for the first step.
        growing: a nest like `decoding.state` of the axes that grow.

    Returns:
        `body(step, (tokens, state, kept)) -> ((tokens, state, kept), record, more)`.
    """

    def body(step, carried):
        tokens, state, kept = carried
        logits, new_state, *alignments = decoding.step(tokens, state)
        _check_logits(strategy, logits, start_id, run.end_id)
        check_state(state, new_state, growing)
        logits = strategy.allow(ops.cast(logits, "float32"), step, run.end_id)
        choice = strategy.choose(step, logits, kept, run)
        if choice.parents is not None:
            new_state = (decoding.reorder or reorder)(new_state, choice.parents)
        record = {"tokens": choice.tokens, **choice.record}
        if decoding.attends:
            record["alignments"] = ops.cast(alignments[0], "float32")
        return (choice.tokens, new_state, choice.kept), record, choice.more

    return body


def first_tokens(decoding: Decoding, start_id: int, beams: int) -> Tensor:
    """What is put in for the first step, `(rows,)` int32."""
    first = decoding.first_tokens
    if first is None:
        return ops.full((decoding.batch * beams,), start_id, "int32")
    if len(first.shape) != 1:
        raise ValueError(
            "`first_tokens` of a `Decoding` must have the shape (batch,), an id for each source. "
            f"Received: shape {tuple(first.shape)}"
        )
    return repeat_rows(ops.cast(first, "int32"), beams)


def _check_logits(strategy: Strategy, logits: Tensor, start_id: int, end_id: int) -> None:
    """Checks the logits of a step, and the strategy against the vocabulary that they show."""
    if len(logits.shape) != 2 or logits.shape[-1] is None:
        raise ValueError(
            "the step of a `Decoding` must return logits of shape (rows, vocabulary), with a known vocabulary. "
            f"Received: logits of shape {tuple(logits.shape)}"
        )
    strategy.check(logits.shape[-1], start_id, end_id)
