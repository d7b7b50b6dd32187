"""The decode loop: asks the model for logits, a strategy for tokens, and makes hypotheses of the history."""

from keras import ops

from keras_seq.decoding.beam_search import BeamSearch
from keras_seq.decoding.decode_step import decode_step, first_tokens
from keras_seq.decoding.decoding import Decoding
from keras_seq.decoding.greedy import Greedy
from keras_seq.decoding.hypotheses import Hypotheses
from keras_seq.decoding.loop import gather_rows, run_steps
from keras_seq.decoding.sampling import Sampling
from keras_seq.decoding.state import growing_axes
from keras_seq.decoding.strategy import IMPOSSIBLE, Run, Strategy
from keras_seq.recurrent.cell import Tensor


def generate(
    decoding: Decoding, strategy: Strategy | None = None, *, start_id: int, end_id: int, with_margins: bool = False
) -> Hypotheses | tuple[Hypotheses, Tensor]:
    """Lets a model generate, token by token, until every hypothesis has ended or reached the maximum length.

    Args:
        decoding: the model's step and its first state, with `strategy.rows_per_source` rows for each source.
        strategy: how to choose; by default `Greedy()`.
        start_id: the id that is put in for the first step, unless the decoding has its own first tokens.
        end_id: the id that ends a hypothesis.
        with_margins: whether to say for each source, `(batch,)`, by how much the closest of all decisions was decided.
            Where that is within rounding another runtime may rightly decide otherwise.

    Returns:
        The hypotheses, and with `with_margins` the margins.

    Raises:
        ValueError: for ids outside the vocabulary, more beams than tokens to choose from, first tokens of another shape
            than `(batch,)`, or a step whose state does not keep its structure, shapes and dtypes.

    Example:
        See `keras_seq.Decoding`.
    """
    strategy = strategy or Greedy()
    run = Run(decoding.batch, end_id, with_margins)
    run = run._replace(shared=strategy.prepare(run))
    beams = strategy.rows_per_source
    records = {"tokens": ("int32", 1), **strategy.records()}
    records |= {"alignments": ("float32", 2)} if decoding.attends else {}
    records |= {"margins": ("float32", 1)} if with_margins else {}
    growing = growing_axes(decoding.state, decoding.growing)

    body = decode_step(decoding, strategy, run, start_id, growing)
    start = (first_tokens(decoding, start_id, beams), decoding.state, strategy.start(run))
    axes = (None, growing, growing_axes(start[2]))
    steps, (_, _, kept), history = run_steps(body, start, strategy.max_length, records, axes)
    hypotheses, ranks = _hypotheses(strategy, run, steps, kept, history)
    if not with_margins:
        return hypotheses
    margins = ops.reshape(ops.transpose(history["margins"]), (run.batch, -1))
    gaps = ranks[:, :-1] - ranks[:, 1:]  # of the final order, as far as it comes out
    return hypotheses, ops.min(ops.concatenate([margins, gaps[:, : strategy.num_results]], axis=1), axis=1)


def greedy(decoding: Decoding, *, start_id: int, end_id: int, **settings) -> Hypotheses:
    """`generate` with `Greedy(**settings)`."""
    return generate(decoding, Greedy(**settings), start_id=start_id, end_id=end_id)


def sample(decoding: Decoding, *, start_id: int, end_id: int, **settings) -> Hypotheses:
    """`generate` with `Sampling(**settings)`."""
    return generate(decoding, Sampling(**settings), start_id=start_id, end_id=end_id)


def beam_search(decoding: Decoding, *, start_id: int, end_id: int, **settings) -> Hypotheses:
    """`generate` with `BeamSearch(**settings)`."""
    return generate(decoding, BeamSearch(**settings), start_id=start_id, end_id=end_id)


def _hypotheses(strategy: Strategy, run: Run, steps: Tensor, kept, history) -> tuple[Hypotheses, Tensor]:
    """Follows every hypothesis back through the history, and puts the best first; also all scores in order."""
    beams, results = strategy.rows_per_source, strategy.num_results
    num_rows = run.batch * beams
    own_rows = ops.arange(num_rows, dtype="int32")[:, None]  # (rows, 1)
    path = strategy.path(kept)  # (rows, steps), or None where every row went on from itself
    at = (own_rows if path is None else path) + ops.arange(steps, dtype="int32")[None, :] * num_rows
    ids = gather_rows(ops.reshape(history["tokens"], (-1,)), at)  # (rows, steps)

    is_end = ops.cast(ops.equal(ids, run.end_id), "int32")
    valid = ops.equal(ops.cumsum(is_end, axis=1) - is_end, 0)  # up to the first end token
    if "log_probs" in history:
        log_probs = gather_rows(ops.reshape(history["log_probs"], (-1,)), at)
        log_probs = ops.sum(log_probs * ops.cast(valid, "float32"), axis=1)
    else:
        log_probs = ops.reshape(kept.log_probs, (-1,))
    valid = ops.logical_and(valid, log_probs[:, None] > IMPOSSIBLE / 2)  # fewer hypotheses than beams
    lengths = ops.sum(ops.cast(valid, "int32"), axis=1)
    scores = ops.maximum(strategy.score(log_probs, lengths), IMPOSSIBLE)
    finished = ops.logical_and(ops.sum(is_end, axis=1) > 0, lengths > 0)
    ids = ops.where(valid, ids, 0)

    # (batch, beams), and the rows of the best
    ranks, order = ops.top_k(ops.reshape(scores, (-1, beams)), beams)
    first_rows = ops.arange(run.batch, dtype="int32")[:, None] * beams
    chosen = ops.cast(order[:, :results], "int32") + first_rows
    alignments = None
    if "alignments" in history:
        # A step attends before its hypotheses change places: token s of a hypothesis was chosen from its row of s - 1.
        if path is not None:
            before = ops.concatenate([own_rows // beams * beams, path[:, :-1]], axis=1)
            at = before + ops.arange(steps, dtype="int32")[None, :] * num_rows
        weights = history["alignments"]  # (steps, rows, source)
        weights = ops.reshape(weights, (-1, ops.shape(weights)[2]))
        used = ops.cast(gather_rows(valid, chosen), "float32")[..., None]
        alignments = gather_rows(weights, gather_rows(at, chosen)) * used
    results = Hypotheses(
        ids=gather_rows(ids, chosen),
        lengths=gather_rows(lengths, chosen),
        scores=ranks[:, :results],
        log_probs=gather_rows(log_probs, chosen),
        finished=gather_rows(finished, chosen),
        alignments=alignments,
    )
    return results, ranks
