"""What a model hands to the decode loop."""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras_seq.recurrent.cell import Tensor


class Decoding(NamedTuple):
    """A model about to generate: its step, and the state before the first one.

    Anything that predicts the next token from the ones before can be one: an encoder-decoder that has read its sources,
    a language model, a transformer with its caches.

    Attributes:
        step: `step(tokens, state) -> (logits, state)`, or `(logits, state, alignments)` with `attends`. Pure.
            `tokens` are the ids of the last tokens, `(rows,)` integers; `logits` `(rows, vocabulary)` say what comes
            next, unnormalised; `alignments` `(rows, source)` say what the step attended to. What all steps and all
            hypotheses of a source share, such as the encoder's outputs, the function closes over.
        state: any nest of tensors with the rows as their first axis. The rows of one source are neighbours:
            `rows = batch * hypotheses`. Where `reorder` is given their layout is the model's own affair.
        batch: how many sources there are, a number or a scalar tensor.
        attends: whether the step gives alignments.
        reorder: `reorder(state, parents) -> state`, what becomes of the state when row i goes on from row `parents[i]`,
            `(rows,)` integers, of the same source. By default all tensors' rows are gathered. A model whose hypotheses
            share a cache need not copy it.
        first_tokens: what is put in for the first step, `(batch,)` int32: the last tokens of prompts, say. By default
            the start token.
        growing: a nest like `state` that says along which axis the steps lengthen each tensor, `None` for those that
            keep their shape. By default an axis that has size 0 at the start may grow.

    Example:
    >>> from keras import ops
    >>> from keras_seq import Decoding, Greedy, generate
    >>> successor = ops.eye(5, k=1) * 9  # after any token the next one is likely
    >>> def step(tokens, state):
    ...     return ops.take(successor, tokens, axis=0), state
    >>> counting = Decoding(step, state=(), batch=1)
    >>> ops.convert_to_numpy(generate(counting, Greedy(max_length=7), start_id=1, end_id=4).ids).tolist()
    [[[2, 3, 4]]]
    """

    step: Callable[[Tensor, Any], tuple[Tensor, ...]]
    state: Any
    batch: int | Tensor
    attends: bool = False
    reorder: Callable[[Any, Tensor], Any] | None = None
    first_tokens: Tensor | None = None
    growing: Any = None
