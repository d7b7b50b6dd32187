from keras_seq.cli.timing import measure


def test_candidates_take_turns_in_blocks_and_warm_calls_are_not_counted():
    order = []
    candidates = {name: (lambda name=name: order.append(name)) for name in "ab"}
    timings = measure(candidates, rounds=2, block_seconds=0.0, idle_seconds=0.0, warm_calls=1)
    assert "".join(order) == "ab" + "aaaaabbbbb" * 2  # a block: two calls to warm up, three counted
    assert list(timings) == ["a", "b"]
    assert [timing.calls for timing in timings.values()] == [6, 6]


def test_the_quiet_machine_is_no_slower_than_the_median():
    timing = measure({"sum": lambda: sum(range(1000))}, rounds=1, block_seconds=0.01, idle_seconds=0.0)["sum"]
    assert 0 < timing.p10_seconds <= timing.median_seconds
