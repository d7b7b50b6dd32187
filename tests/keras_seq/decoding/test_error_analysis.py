import itertools
import json

import numpy as np
import pytest

from keras_seq.decoding.error_analysis import analyse_errors

WRONG = [False] * 4


def verdicts(analysis):
    return [row.verdict for row in analysis.rows]


def test_a_fault_is_the_searchs_where_the_model_prefers_the_reference():
    analysis = analyse_errors([-1.0, -2.0, -1.5, -3.0], [-1.1, -1.0, -1.5, -3.0], correct=[False, False, False, True])
    assert verdicts(analysis) == ["search", "model", "tie", "correct"]
    assert analysis.counts == {"correct": 1, "search": 1, "model": 1, "tie": 1, "out of reach": 0}
    assert analysis.fractions == pytest.approx({"search": 1 / 3, "model": 1 / 3, "tie": 1 / 3, "out of reach": 0})


@pytest.mark.parametrize(("kind", "terms"), [("power", (9**0.7, 2**0.7)), ("gnmt", ((14 / 6) ** 0.7, (7 / 6) ** 0.7))])
def test_what_is_compared_is_what_the_search_maximises(kind, terms):
    """A long reference that is less probable than a short output, and yet the better one to the search."""
    arguments = {"correct": [False], "reference_lengths": [9], "hypothesis_lengths": [2], "length_term": kind}
    by_score = analyse_errors([-4.0], [-3.0], alpha=0.7, **arguments)
    (row,) = by_score.rows
    assert (row.reference_score, row.hypothesis_score) == pytest.approx((-4 / terms[0], -3 / terms[1]))
    assert (row.reference_log_prob, row.hypothesis_log_prob) == (-4, -3)
    assert row.verdict == "search"
    assert verdicts(analyse_errors([-4.0], [-3.0], alpha=0.7, compare="log_prob", **arguments)) == ["model"]
    assert verdicts(analyse_errors([-4.0], [-3.0], **arguments)) == ["model"]


def test_what_was_compared_is_printed():
    arguments = {"correct": [False], "reference_lengths": [9], "hypothesis_lengths": [2], "alpha": 0.7}
    assert "Compared by log P(y|x) / T^0.7, which the search maximises." in str(analyse_errors([-4], [-3], **arguments))
    gnmt = analyse_errors([-4], [-3], length_term="gnmt", **arguments)
    assert "log P(y|x) / ((5 + T) / 6)^0.7, which the search maximises." in str(gnmt)
    other = analyse_errors([-4], [-3], compare="log_prob", **arguments)
    assert "Compared by log P(y|x), although the search maximises it divided by a length term." in str(other)


def test_a_beam_of_one_is_put_to_blame_exactly_where_it_missed_a_better_output():
    """A language of two tokens and three steps, all of whose outputs can be counted."""
    random = np.random.default_rng(2)
    references, greedy, expected = [], [], []
    for _ in range(31):
        steps = {
            prefix: np.log(random.dirichlet([3, 3]))
            for length in range(3)
            for prefix in itertools.product((0, 1), repeat=length)
        }
        outputs = {
            output: sum(steps[output[:length]][output[length]] for length in range(3))
            for output in itertools.product((0, 1), repeat=3)
        }
        found = ()
        while len(found) < 3:
            found += (int(steps[found].argmax()),)
        best = max(outputs, key=outputs.get)
        references.append(outputs[best])  # the model is right: only the search can be at fault
        greedy.append(outputs[found])
        expected.append("correct" if found == best else "search")
    assert 3 < expected.count("search") < 28
    analysis = analyse_errors(references, greedy, correct=[name == "correct" for name in expected], tolerance=1e-12)
    assert verdicts(analysis) == expected


def test_scores_that_differ_by_rounding_are_a_tie_and_ties_are_spelt_out():
    analysis = analyse_errors([-1.00001, -1, -1], [-1, -2, -1.1], correct=[False] * 3)
    assert verdicts(analysis) == ["tie", "search", "search"]
    assert "With ties laid on the search, as P(y*|x) >= P(ŷ|x) has it, its share is 100.0%." in str(analysis)
    assert verdicts(analyse_errors([-1.00001], [-1], correct=[False], tolerance=1e-6)) == ["model"]


def test_a_reference_that_no_search_can_give_blames_nobody():
    analysis = analyse_errors([-1, -np.inf, -1], [-2, -2, -2], correct=[False] * 3, reachable=[False, False, True])
    assert verdicts(analysis) == ["out of reach", "out of reach", "search"]
    assert "out of reach        2         66.7%  no search can give the reference" in str(analysis)


def test_impossible_references_are_the_models_fault():
    assert verdicts(analyse_errors([-np.inf, -np.inf], [-2, -np.inf], correct=[False] * 2)) == ["model", "tie"]


def test_examples_come_with_the_widest_gap_first():
    analysis = analyse_errors(
        [-1.0, -1.0, -1.0, -1.0],
        [-2.0, -5.0, -3.0, -0.5],
        correct=WRONG,
        sources=["s0", "s1", "s2", "s3"],
        references=["r0", "r1", "r2", "r3"],
        hypotheses=["h0", "h1", "h2", "h3"],
        num_examples=2,
    )
    assert [row.source for row in analysis.examples("search")] == ["s1", "s2", "s0"]
    printed = str(analysis)
    assert printed.index("search, 1: s1") < printed.index("search, 2: s2") < printed.index("model, 3: s3")
    assert "s0" not in printed
    assert "  y*  log P -1.000  r1\n  ŷ   log P -5.000  h1" in printed
    with pytest.raises(ValueError, match=r"must be one of correct, search, .*Received: verdict='beam'"):
        analysis.examples("beam")


def test_nothing_wrong_is_no_fault():
    analysis = analyse_errors([-1.0], [-1.0], correct=[True])
    assert set(analysis.fractions.values()) == {0}
    assert "1 of 1 outputs right." in str(analysis)


def test_the_dictionary_is_json_with_everything():
    analysis = analyse_errors([-1.0, -2], [-2.0, -1], correct=np.array([False, False]), sources=["a", "b"])
    again = json.loads(json.dumps(analysis.to_dict()))
    assert again["counts"]["search"] == again["counts"]["model"] == 1
    assert again["rows"][1]["verdict"] == "model"
    assert again["rows"][1]["source"] == "b"
    assert again["compared"] == "score"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log_prob_hypotheses": [-1]}, r"`log_prob_hypotheses` must have as many .*Received: 1 and 2\."),
        ({"correct": [True] * 3}, r"`correct` must have as many .*Received: 3 and 2\."),
        ({"hypotheses": ["a"]}, r"`hypotheses` must have as many .*Received: 1 and 2\."),
        ({"reachable": [True]}, r"`reachable` must have as many .*Received: 1 and 2\."),
        ({"log_prob_references": [], "log_prob_hypotheses": []}, r"nothing to analyse"),
        ({"log_prob_references": [-1, 0.5]}, r"at most 0\. Received: 0\.5 at 1\."),
        ({"log_prob_hypotheses": [np.nan, -1]}, r"at most 0\. Received: nan at 0\."),
        (
            {"log_prob_hypotheses": [[-1, -2], [-1, -2]]},
            r"one number a source, shape \(2,\)\. Received: shape=\(2, 2\)",
        ),
        ({"alpha": 0.7}, r"lengths are needed too\. Received: alpha=0\.7, reference_lengths=None\."),
        (
            {"alpha": 0.7, "reference_lengths": [3, 4], "hypothesis_lengths": [3, 0]},
            r"`hypothesis_lengths` must be at least 1, the end token counted\. Received: 0 at 1\.",
        ),
        ({"compare": "p"}, r"\"score\" or \"log_prob\"\. Received: compare='p'"),
        ({"length_term": "wu"}, r"\"power\" or \"gnmt\"\. Received: length_term='wu'"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments, message):
    valid = {"log_prob_references": [-1, -2], "log_prob_hypotheses": [-1, -2], "correct": [False, False]}
    with pytest.raises(ValueError, match=message):
        analyse_errors(**valid | arguments)
