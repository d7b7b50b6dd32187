import numpy as np
import pytest
from keras import ops

from keras_seq.decoding.uniform_stream import next_uniform, seed_rows


def draws(seed, rows, steps):
    state, numbers = seed_rows(seed, ops.arange(rows, dtype="int32")), []
    for _ in range(steps):
        uniform, state = next_uniform(state)
        numbers.append(ops.convert_to_numpy(uniform))
    return np.stack(numbers, axis=1)  # (rows, steps)


def wichmann_hill(state, steps):
    """Algorithm AS 183 as published, with Python's integers."""
    x, y, z = state
    for _ in range(steps):
        x, y, z = 171 * x % 30269, 172 * y % 30307, 170 * z % 30323
        yield (x / 30269 + y / 30307 + z / 30323) % 1.0


@pytest.mark.smoke
def test_numbers_are_those_of_the_published_algorithm():
    state = ops.convert_to_numpy(seed_rows(11, ops.arange(3, dtype="int32")))
    expected = [list(wichmann_hill([int(part) for part in row], 7)) for row in state]
    np.testing.assert_allclose(draws(11, 3, 7), expected, atol=3e-7)


def test_numbers_are_spread_evenly_along_rows_steps_and_seeds():
    samples = {
        "rows": draws(0, 5003, 1)[:, 0],
        "steps": draws(0, 1, 1009)[0],
        "seeds": np.array([draws(seed, 1, 1)[0, 0] for seed in range(1009)]),
    }
    for name, numbers in samples.items():
        counts = np.histogram(numbers, bins=10, range=(0, 1))[0]
        expected = len(numbers) / 10
        assert ((counts - expected) ** 2 / expected).sum() < 30, name  # chi-square, 9 degrees of freedom: p = 0.0004


def test_neighbours_do_not_go_together():
    numbers = draws(42, 401, 397)
    for a, b in ((numbers[:-1], numbers[1:]), (numbers[:, :-1], numbers[:, 1:])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.02
    other = draws(43, 401, 397)
    assert abs(np.corrcoef(numbers.ravel(), other.ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("seed", [0, 1, 30269, 2**31 - 1])
def test_no_seed_gets_stuck(seed):
    assert len(np.unique(draws(seed, 7, 101))) > 690
