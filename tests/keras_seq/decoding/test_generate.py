import pytest
from keras import ops

from keras_seq import Decoding, Greedy, generate, greedy, sample
from tests.keras_seq.decoding.oracle import END, START, decoding, language, log_prob, sequences


def counting(**changes):
    """A model that counts on from any token."""

    def step(tokens, state):
        return ops.matmul(ops.one_hot(tokens, 7), ops.eye(7, k=1) * 9), state

    return Decoding(step, {"h": ops.zeros((3, 5))}, batch=3)._replace(**changes)


@pytest.mark.smoke
def test_greedy_is_the_default_and_counts_to_the_end():
    found = generate(counting(), start_id=0, end_id=4)
    assert ops.convert_to_numpy(found.ids).tolist() == [[[1, 2, 3, 4]]] * 3
    assert ops.convert_to_numpy(found.finished).all()
    assert found.alignments is None


def test_a_limit_that_comes_before_the_end_is_said():
    found = greedy(counting(), start_id=0, end_id=4, max_length=2)
    assert ops.convert_to_numpy(found.ids).tolist() == [[[1, 2]]] * 3
    assert not ops.convert_to_numpy(found.finished).any()


def test_greedy_takes_the_likeliest_and_scores_it_by_the_model():
    logits = language(seed=4)
    found = greedy(decoding(logits, 1), start_id=START, end_id=END, max_length=6)
    for source in range(3):
        (sequence,) = sequences(found, source)
        expected = log_prob(logits[source], sequence)
        assert float(found.log_probs[source, 0]) == pytest.approx(expected, rel=1e-5)
        assert float(found.scores[source, 0]) == pytest.approx(expected, rel=1e-5)


def test_minimum_length_and_banned_ids_hold_for_greedy_search():
    found = greedy(counting(), start_id=0, end_id=2, max_length=5, min_length=4, banned_ids=[3])
    for source in range(3):
        (sequence,) = sequences(found, source)
        assert 3 not in sequence
        assert 2 not in sequence[:3]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ({"start_id": 7, "end_id": 2}, r"`start_id` must be from 0 to 6, the vocabulary's ids. Received: 7"),
        ({"start_id": 1, "end_id": -1}, r"`end_id` must be from 0 to 6, the vocabulary's ids. Received: -1"),
    ],
)
def test_ids_outside_the_vocabulary_are_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        generate(counting(), **ids)


@pytest.mark.parametrize(
    ("banned", "message"),
    [
        ([2], r"`banned_ids` must not hold the end token's id, 2"),
        ([9], r"`banned_ids` must be from 0 to 6.*Received: 9"),
    ],
)
def test_banned_ids_that_make_no_sense_are_refused(banned, message):
    with pytest.raises(ValueError, match=message):
        generate(counting(), Greedy(banned_ids=banned), start_id=0, end_id=2)


@pytest.mark.parametrize(
    ("new_state", "message"),
    [
        (lambda state: {"h": state["h"][:, :3]}, r"shape and dtype of its state. Expected for 'h': \(3, 5\).*\(3, 3\)"),
        (lambda state: {"h": ops.cast(state["h"], "int32")}, r"keep the shape and dtype of its state"),
        (lambda state: [state["h"]], r"a state of the structure that it was given"),
    ],
)
def test_a_step_that_changes_the_shape_of_its_state_is_refused(new_state, message):
    changed = counting(step=lambda tokens, state: (ops.ones((3, 7)), new_state(state)))
    with pytest.raises(ValueError, match=message):
        generate(changed, start_id=0, end_id=4)


def test_logits_of_another_rank_are_refused():
    flat = counting(step=lambda tokens, state: (ops.ones((3,)), state))
    with pytest.raises(ValueError, match=r"logits of shape \(rows, vocabulary\).*Received: logits of shape \(3,\)"):
        generate(flat, start_id=0, end_id=4)


def test_sample_is_the_strategy_in_one_call():
    found = sample(counting(), start_id=0, end_id=4, temperature=0.05, seed=3)
    assert ops.convert_to_numpy(found.ids).tolist() == [[[1, 2, 3, 4]]] * 3
