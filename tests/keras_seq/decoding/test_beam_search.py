import keras
import numpy as np
import pytest

from keras_seq import BeamSearch, Greedy, beam_search, generate
from tests.keras_seq.decoding import oracle
from tests.keras_seq.decoding.oracle import BATCH, END, MAX_LENGTH, START, VOCABULARY, decoding, language, sequences

IDS = {"start_id": START, "end_id": END}


def search(logits, **settings):
    strategy = BeamSearch(**{"max_length": MAX_LENGTH, **settings})
    return generate(decoding(logits, strategy.rows_per_source), strategy, **IDS)


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.smoke
@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.3])
@pytest.mark.parametrize("length_term", ["power", "gnmt"])
def test_a_wide_beam_finds_the_best_of_all_hypotheses(alpha, length_term):
    logits = language(seed=3)
    # Wider than the vocabulary by a second language of which only the first tokens are used.
    found = search(logits, num_beams=VOCABULARY, alpha=alpha, length_term=length_term, max_length=2)
    for source in range(BATCH):
        expected = oracle.all_hypotheses(logits[source], alpha, length_term, max_length=2)
        assert sequences(found, source)[0] == expected[0][1]
        np.testing.assert_allclose(numpy(found.scores)[source, 0], expected[0][0], rtol=1e-5)


@pytest.mark.parametrize("num_beams", [1, 2, 3, 5])
@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_any_beam_finds_what_a_search_with_lists_finds(num_beams, alpha):
    for seed in range(5):
        logits = language(seed)
        found = search(logits, num_beams=num_beams, alpha=alpha)
        for source in range(BATCH):
            expected = oracle.beam_search(logits[source], num_beams, alpha)
            assert sequences(found, source) == [sequence for _, sequence in expected]
            np.testing.assert_allclose(numpy(found.scores)[source], [score for score, _ in expected], rtol=1e-5)


def test_log_probs_and_finished_are_those_of_the_hypotheses():
    logits = language(seed=1)
    found = search(logits, num_beams=4)
    for source in range(BATCH):
        hypotheses = sequences(found, source)
        expected = [oracle.log_prob(logits[source], sequence) for sequence in hypotheses]
        np.testing.assert_allclose(numpy(found.log_probs)[source], expected, rtol=1e-5)
        assert numpy(found.finished)[source].tolist() == [sequence[-1] == END for sequence in hypotheses]
    assert not numpy(found.finished).all()  # some reach the limit, and say so
    assert numpy(found.finished).any()


def garden_path():
    """Three tokens: 0 looks better than 3 at first, and leads nowhere in particular."""
    logits = np.full((1, 4, 4, 4), -20.0, "float32")
    logits[:, :, START, 0], logits[:, :, START, 3] = np.log(0.6), np.log(0.4)
    logits[:, :, 0, [0, END, 3]] = np.log([0.3, 0.35, 0.35])
    logits[:, :, 3, END] = 0.0
    return logits


def test_finds_the_path_that_greedy_search_misses():
    greedy = generate(decoding(garden_path(), 1), Greedy(max_length=5), **IDS)
    assert sequences(greedy, 0) == [(0, END)]
    assert sequences(search(garden_path(), num_beams=2), 0)[0] == (3, END)
    assert oracle.all_hypotheses(garden_path()[0], alpha=0.0)[0][1] == (3, END)


def test_one_beam_is_greedy_search():
    for seed in range(3):
        greedy = generate(decoding(language(seed), 1), Greedy(max_length=MAX_LENGTH), **IDS)
        beam = search(language(seed), num_beams=1)
        assert np.array_equal(numpy(greedy.ids), numpy(beam.ids))
        np.testing.assert_allclose(numpy(greedy.log_probs), numpy(beam.log_probs), rtol=1e-6)


def test_a_narrow_beam_misses_what_a_wide_one_finds():
    missed = 0
    for seed in range(20):
        logits = language(seed)
        narrow, wide = search(logits, num_beams=2, alpha=0.0), search(logits, num_beams=5, alpha=0.0)
        missed += (numpy(narrow.log_probs)[:, 0] < numpy(wide.log_probs)[:, 0] - 1e-3).sum()
    assert missed > 0


def test_length_normalisation_prefers_longer_hypotheses():
    def mean_length(alpha):
        return np.mean([numpy(search(language(s), num_beams=5, alpha=alpha).lengths)[:, 0].mean() for s in range(9)])

    assert mean_length(0.0) < mean_length(0.7) < mean_length(2.0)


@pytest.mark.parametrize("num_hypotheses", [1, 2])
def test_stopping_early_loses_nothing_of_what_comes_out(num_hypotheses):
    steps_saved = 0
    for seed in range(12):
        logits = language(seed, sharpness=3.0)
        whole = search(logits, num_beams=4, max_length=11)
        early = search(logits, num_beams=4, max_length=11, num_hypotheses=num_hypotheses)
        for source in range(BATCH):
            assert sequences(early, source) == sequences(whole, source)[:num_hypotheses]
        np.testing.assert_allclose(numpy(early.scores), numpy(whole.scores)[:, :num_hypotheses], rtol=1e-6)
        steps_saved += whole.ids.shape[-1] - early.ids.shape[-1]
    assert steps_saved > 0


def test_alignments_follow_each_hypothesis_through_its_changes_of_place():
    for seed in range(4):
        found = search(language(seed), num_beams=4)
        for source in range(BATCH):
            for rank, sequence in enumerate(sequences(found, source)):
                before = [0, START, *sequence][: len(sequence)]
                alignments = numpy(found.alignments)[source, rank]
                assert alignments[: len(sequence)].argmax(-1).tolist() == before
                assert (alignments[len(sequence) :] == 0).all()


def test_banned_ids_and_the_minimum_length_hold():
    logits = language(seed=2)
    found = search(logits, num_beams=3, alpha=0.0, max_length=3, min_length=3, banned_ids=[4])
    for source in range(BATCH):
        hypotheses = sequences(found, source)
        assert all(len(sequence) == 3 and 4 not in sequence for sequence in hypotheses)
        allowed = oracle.all_hypotheses(
            renormalised(logits[source], banned=4), 0.0, max_length=3, min_length=3, banned=[4]
        )
        assert set(hypotheses) <= {sequence for _, sequence in allowed}


def renormalised(logits, banned):
    logits = logits.copy()
    logits[:, :, banned] = -1e9
    return logits


def test_fewer_hypotheses_than_beams_are_said_to_be_none():
    logits = np.full((1, 4, 4, 4), -1e9, "float32")
    logits[..., END] = 0.0  # the end is all there is
    found = search(logits, num_beams=3)
    assert sequences(found, 0) == [(END,), (), ()]
    assert numpy(found.finished)[0].tolist() == [True, False, False]
    assert np.isfinite(numpy(found.scores)).all()


@pytest.mark.backend("tensorflow")
def test_is_the_same_in_a_graph_with_an_unknown_batch_and_settings_as_tensors():
    import tensorflow as tf

    logits = language(seed=5)
    strategy = BeamSearch(num_beams=3, num_hypotheses=2, max_length=MAX_LENGTH)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32), tf.TensorSpec([])])
    def run(before, max_length, alpha):
        one = decoding(logits, 3)
        model = one._replace(state={**one.state, "before": before}, batch=tf.shape(before)[0] // 3)
        return generate(model, strategy.replace(max_length=max_length, alpha=alpha), **IDS)

    for max_length, alpha in ((1, 0.0), (3, 1.0), (MAX_LENGTH, 0.7)):
        found = run(tf.zeros([BATCH * 3], tf.int32), max_length, alpha)
        expected = search(logits, num_beams=3, num_hypotheses=2, max_length=max_length, alpha=alpha)
        for name, value in expected._asdict().items():
            np.testing.assert_allclose(numpy(getattr(found, name)), numpy(value), rtol=1e-6, err_msg=name)


def test_margins_are_the_difference_to_the_nearest_other_outcome():
    logits = np.zeros((2, 4, 4, 4), "float32") - 9.0
    logits[:, :, :, END] = 3.0
    logits[0, :, :, 3], logits[1, :, :, 3] = 3.0 - 0.5, 3.0 - 1e-6
    strategy = BeamSearch(num_beams=1, max_length=3)
    _, margins = generate(decoding(logits, 1), strategy, **IDS, with_margins=True)
    np.testing.assert_allclose(numpy(margins), [0.5, 0.0], atol=2e-6)


def test_beam_search_is_the_strategy_in_one_call():
    found = beam_search(decoding(language(), 2), num_beams=2, max_length=3, **IDS)
    assert sequences(found, 0) == sequences(search(language(), num_beams=2, max_length=3), 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_beams": 0}, r"`num_beams` must be a positive integer. Received: num_beams=0"),
        ({"num_beams": 2, "num_hypotheses": 3}, r"`num_hypotheses` must be from 1 to `num_beams`"),
        ({"length_term": "linear"}, r"`length_term` must be one of power, gnmt. Received: length_term='linear'"),
        ({"alpha": -1.0}, r"`alpha` must be a number from 0.0 to 10.0. Received: alpha=-1.0"),
        ({"max_length": 0}, r"`max_length` must be an integer at least 1. Received: max_length=0"),
        ({"max_length": 3, "min_length": 4}, r"`min_length` must be from 0 to `max_length`"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        BeamSearch(**settings)


def test_more_beams_than_tokens_are_refused():
    with pytest.raises(ValueError, match=r"not be above the number of tokens to choose from, 4 .*num_beams=5"):
        search(language(), num_beams=5, banned_ids=[3])
