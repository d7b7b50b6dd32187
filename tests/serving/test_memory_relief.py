"""When memory goes back: after calls have become much smaller for a while, and not before."""

import numpy as np

from keras_seq.serving.memory_relief import MemoryRelief


def test_steady_large_calls_keep_their_memory():
    relief = MemoryRelief()
    sizes = np.random.default_rng(0).integers(30_000, 100_000, size=1000)
    assert not any(relief.due(int(size)) for size in sizes)


def test_small_calls_never_give_back():
    relief = MemoryRelief()
    assert not any(relief.due(size) for size in [4096] + [1] * 1000)


def test_one_huge_call_is_given_back_once_within_two_windows():
    relief = MemoryRelief()
    due = [relief.due(size) for size in [1_000_000] + [50] * 99]
    assert due.count(True) == 1
    assert due.index(True) < 32


def test_after_giving_back_the_next_huge_call_counts_anew():
    relief = MemoryRelief()
    due = [relief.due(size) for size in ([1_000_000] + [50] * 47) * 3]
    assert due.count(True) == 3


def test_a_huge_call_now_and_then_keeps_its_memory():
    relief = MemoryRelief()
    assert not any(relief.due(size) for size in ([1_000_000] + [50] * 7) * 100)
