import numpy as np

from language_modelling.homophones import choose, find_swaps

TRAIN = ["to " * 9 + "too " * 6 + "two " * 4 + "hear " * 5 + "here " * 5]


def test_every_swap_exchanges_one_word_for_one_that_sounds_alike_and_was_read():
    held_out = ["Go to bed! I hear you too, to be sure.", "Two to one. There there."]
    swaps = find_swaps(TRAIN, held_out, most=100)
    assert {(swap.sentence, swap.swapped) for swap in swaps} == {
        ("I hear you too, to be sure.", "I hear you to, to be sure."),  # the rarer was said
        ("Go to bed!", "Go too bed!"),
    }


def test_in_half_of_the_swaps_the_rarer_word_was_said():
    held_out = ["too"] * 7 + ["to"] * 31
    swaps = find_swaps(TRAIN, held_out, most=10)
    assert [swap.said for swap in swaps] == ["too"] * 5 + ["to"] * 5
    assert len(find_swaps(TRAIN, held_out, most=1000)) == 14
    assert find_swaps(TRAIN, ["to"], most=10) == []


def test_long_sentences_are_left_out():
    assert find_swaps(TRAIN, ["too", "to", "too " * 60 + "to"], most=100)[0].sentence == "too"


def test_the_likelier_sentence_is_chosen():
    swaps = find_swaps(TRAIN, ["too"] * 2 + ["to"] * 2, most=4)
    margins, right = choose(lambda sentences: np.array([-len(sentence) for sentence in sentences]), swaps)
    assert margins.tolist() == [-1, -1, 1, 1]
    assert right.tolist() == [False, False, True, True]
