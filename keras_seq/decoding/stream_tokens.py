"""Generating token by token, each given away as soon as it is chosen."""

from collections.abc import Iterator

import numpy as np
from keras import ops

from keras_seq.decoding.beam_search import BeamSearch
from keras_seq.decoding.decode_step import decode_step, first_tokens
from keras_seq.decoding.decoding import Decoding
from keras_seq.decoding.state import growing_axes
from keras_seq.decoding.strategy import Run, Strategy


def stream_tokens(decoding: Decoding, strategy: Strategy, *, start_id: int, end_id: int) -> Iterator[np.ndarray]:
    """Lets a model generate, and gives the tokens away step by step.

    They are those of `keras_seq.generate` with the same strategy and seed. Nothing is computed beyond what is asked
    for: whoever has read enough just stops.

    Args:
        decoding: the model's step and its first state, with `strategy.rows_per_source` rows for each source.
        strategy: how to choose: `Greedy` or `Sampling`. The tokens of a beam search are not settled before its end.
        start_id: the id that is put in for the first step, unless the decoding has its own first tokens.
        end_id: the id that ends a hypothesis.

    Returns:
        An iterator of the ids of each step, `(rows,)` int32; padding 0 in rows that have ended.

    Raises:
        ValueError: for a beam search; at the first step, for whatever `generate` refuses too.

    Example:
    >>> from keras import ops
    >>> from keras_seq import Decoding, Greedy, stream_tokens
    >>> successor = ops.eye(5, k=1) * 9  # after any token the next one is likely
    >>> def step(tokens, state):
    ...     return ops.take(successor, tokens, axis=0), state
    >>> counting = Decoding(step, state=(), batch=1)
    >>> [int(ids[0]) for ids in stream_tokens(counting, Greedy(max_length=7), start_id=1, end_id=4)]
    [2, 3, 4]
    """
    if isinstance(strategy, BeamSearch):
        raise ValueError(
            "the tokens of a beam search are settled at its end, so they cannot be given away one by one. Stream with "
            f"Greedy or Sampling, or call `generate`. Received: {strategy}"
        )
    return _tokens(decoding, strategy, start_id, end_id)


def _tokens(decoding: Decoding, strategy: Strategy, start_id: int, end_id: int) -> Iterator[np.ndarray]:
    run = Run(decoding.batch, end_id, margins=False)
    run = run._replace(shared=strategy.prepare(run))
    growing = growing_axes(decoding.state, decoding.growing)
    body = decode_step(decoding, strategy, run, start_id, growing)
    tokens = first_tokens(decoding, start_id, strategy.rows_per_source)
    carried = tokens, decoding.state, strategy.start(run)
    ended = np.zeros(int(tokens.shape[0]), bool)
    for step in range(int(strategy.max_length)):
        carried, _, more = body(ops.convert_to_tensor(step, "int32"), carried)
        ids = np.where(ended, 0, ops.convert_to_numpy(carried[0])).astype("int32")
        ended |= ids == end_id
        yield ids
        if not bool(more):
            return
