"""What a decode loop carries of the model: how it grows and how it follows the hypotheses."""

import numpy as np
import pytest
from keras import ops

from keras_seq import BeamSearch, Decoding, Greedy, Sampling, generate
from tests.keras_seq.decoding.oracle import END, MAX_LENGTH, START, beam_search, decoding, language, sequences


def pooled(logits, beams):
    """The language of the oracle with all tokens of a source's hypotheses in one pool, which is never reordered.

    What a hypothesis may see of the pool is the one thing that follows it.
    """
    batch, vocabulary = logits.shape[:2]
    table = ops.convert_to_tensor(logits.reshape(-1, vocabulary))
    source = ops.convert_to_tensor(np.repeat(np.arange(batch, dtype="int32"), beams))
    own = ops.tile(ops.eye(beams, dtype="int32"), (batch, 1))  # (rows, beams)

    def step(tokens, state):
        pool, sees = state["pool"], state["sees"]  # (batch, entries), (rows, entries)
        mine = ops.where(ops.equal(sees, 1), ops.repeat(pool, beams, axis=0), 0)
        before = ops.max(mine[:, -beams:], axis=1) if pool.shape[1] else ops.zeros_like(tokens)
        pool = ops.concatenate([pool, ops.reshape(tokens, (-1, beams))], axis=1)
        index = (source * vocabulary + before) * vocabulary + tokens
        return ops.take(table, index, axis=0), {"pool": pool, "sees": ops.concatenate([sees, own], axis=1)}

    def reorder(state, parents):
        return {"pool": state["pool"], "sees": ops.take(state["sees"], parents, axis=0)}

    state = {"pool": ops.zeros((batch, 0), "int32"), "sees": ops.zeros((batch * beams, 0), "int32")}
    return Decoding(step, state, batch, reorder=reorder)


@pytest.mark.parametrize("beams", [1, pytest.param(3, marks=pytest.mark.smoke), 4])
def test_a_model_may_say_itself_how_its_state_follows_the_hypotheses(beams):
    logits = language(seed=8)
    strategy = BeamSearch(num_beams=beams, max_length=MAX_LENGTH)
    found = generate(pooled(logits, beams), strategy, start_id=START, end_id=END)
    for source in range(3):
        expected = beam_search(logits[source], beams, strategy.alpha)
        assert sequences(found, source) == [sequence for _, sequence in expected]


@pytest.mark.parametrize(
    "strategy", [Greedy(max_length=1), Sampling(max_length=1, num_samples=3), BeamSearch()], ids=str
)
def test_sources_may_start_with_tokens_of_their_own(strategy):
    logits = language(seed=2, sharpness=30.0)
    rows = strategy.rows_per_source
    first = ops.convert_to_tensor(np.array([3, 0, 4]), "int32")
    found = generate(decoding(logits, rows)._replace(first_tokens=first), strategy, start_id=START, end_id=END)
    for source, token in enumerate([3, 0, 4]):
        assert sequences(found, source)[0][0] == logits[source, 0, token].argmax()


def test_first_tokens_of_another_shape_are_refused():
    wrong = decoding(language(), 1)._replace(first_tokens=ops.zeros((3, 1), "int32"))
    with pytest.raises(ValueError, match=r"`first_tokens`.* the shape \(batch,\).*Received: shape \(3, 1\)"):
        generate(wrong, Greedy(), start_id=START, end_id=END)


def growing(**changes):
    """Counts the steps in the length of a state that has entries from the start."""

    def step(tokens, state):
        entries = ops.concatenate([state["entries"], ops.ones((3, 2, 1))], axis=2)
        return ops.one_hot(tokens + 1, 7) * 9, {"entries": entries}

    return Decoding(step, {"entries": ops.zeros((3, 2, 5))}, 3, growing={"entries": 2})._replace(**changes)


def test_a_state_may_grow_from_any_size_where_the_model_says_so():
    found = generate(growing(), Greedy(max_length=6), start_id=1, end_id=6)
    assert ops.convert_to_numpy(found.ids).tolist() == [[[2, 3, 4, 5, 6]]] * 3


@pytest.mark.backend("tensorflow")
def test_a_state_grows_in_a_graph_that_knows_its_size():
    import tensorflow as tf

    found = tf.function(lambda: generate(growing(), Greedy(max_length=6), start_id=1, end_id=6).ids)()
    assert found.numpy().tolist() == [[[2, 3, 4, 5, 6]]] * 3


def test_a_state_that_grows_unannounced_is_refused():
    with pytest.raises(ValueError, match=r"'entries': \(3, 2, 5\).*Received: \(3, 2, 6\).*named in `growing`"):
        generate(growing(growing=None), Greedy(), start_id=1, end_id=6)


def test_growth_of_another_structure_is_refused():
    with pytest.raises(ValueError, match=r"`growing` of a `Decoding` must have the structure of its `state`"):
        generate(growing(growing=[2]), Greedy(), start_id=1, end_id=6)
