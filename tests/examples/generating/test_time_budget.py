import math
from types import SimpleNamespace

import pytest

from generating import time_budget
from generating.time_budget import TimeBudget


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told otherwise."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(time_budget.time, "perf_counter", lambda: now.seconds)
    return now


def budget(**arguments):
    callback = TimeBudget(0.5, **arguments)
    callback.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=None), stop_training=False))
    callback.on_train_begin()
    return callback


def rates(callback, steps):
    for step in range(steps):
        callback.on_train_batch_begin(step)
        yield callback.model.optimizer.learning_rate


def test_the_rate_rises_and_falls_along_a_cosine(clock):
    found = list(rates(budget(steps=50, warm_up=4), 50))
    expected = [0.5 * min(1, (step + 1) / 4) * 0.5 * (1 + math.cos(math.pi * step / 50)) for step in range(50)]
    assert found == pytest.approx(expected)


def test_the_clock_takes_over_where_it_is_ahead_of_the_steps(clock):
    callback = budget(steps=1000, seconds=30, warm_up=1)
    (first,) = rates(callback, 1)
    assert first == pytest.approx(0.5)
    clock.seconds += 15
    (half_way,) = rates(callback, 1)
    assert half_way == pytest.approx(0.25)
    callback.on_train_batch_end(1)
    assert not callback.model.stop_training
    clock.seconds += 15
    (last,) = rates(callback, 1)
    assert last == pytest.approx(0)
    callback.on_train_batch_end(2)
    assert callback.model.stop_training


def test_without_a_clock_only_the_steps_count(clock):
    callback = budget(steps=10)
    clock.seconds += 1e6
    list(rates(callback, 3))
    callback.on_train_batch_end(3)
    assert not callback.model.stop_training
    assert callback.progress() == pytest.approx(0.3)
