"""The batcher: who goes together, who is sent away, and that everybody gets its own answer in any company."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_seq.serving import Batcher, DeadlineExceeded, InputError, Overloaded, Predictor, ServingError, Unavailable
from keras_seq.serving.batching import bucket
from keras_seq.serving.session import Session
from tests.serving.toy_text import document, write_language_model

ATOL = 1e-6


class Gated:
    """A `run` that waits until it is let go, and remembers the payloads of each call."""

    def __init__(self):
        self.calls = []
        self.gate = threading.Event()

    def __call__(self, payloads):
        self.calls.append(list(payloads))
        assert self.gate.wait(20)
        return [f"<{payload}>" for payload in payloads]


@pytest.fixture
def gated():
    run = Gated()
    yield run
    run.gate.set()


@pytest.fixture
def executor():
    with ThreadPoolExecutor(3) as pool:
        yield pool


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


def start(batcher, payloads, length=7, key="", **settings):
    """Submits payloads one after the other; the tasks."""
    lengths = length if isinstance(length, (list, tuple)) else [length] * len(payloads)
    return [
        asyncio.create_task(batcher.submit(payload, key=key, length=length, **settings))
        for payload, length in zip(payloads, lengths, strict=True)
    ]


async def busy(batcher, gated):
    """A batcher with its one worker at work, and the task that it works for."""
    [first] = start(batcher, ["first"], key="another")
    await until(lambda: gated.calls)
    return first


def test_a_bucket_holds_its_lengths_and_wastes_a_third_at_most():
    for length in [*range(1, 200), 1023, 1024, 1025]:
        top = bucket(length)
        assert length <= top == bucket(top)
        assert (top - length) / top < 1 / 3


def test_a_lone_request_waits_for_nobody(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor)
        [task] = start(batcher, ["a"])
        gated.gate.set()
        assert await task == "<a>"
        assert gated.calls == [["a"]]
        assert (batcher.queued, batcher.running) == (0, 0)

    asyncio.run(main())


def test_what_is_ready_in_the_same_turn_of_the_loop_goes_together(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor)
        gated.gate.set()
        assert await asyncio.gather(*start(batcher, "abc")) == ["<a>", "<b>", "<c>"]
        assert gated.calls == [["a", "b", "c"]]

    asyncio.run(main())


def test_what_comes_while_all_are_busy_goes_together_by_length(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor, call_tokens=0)
        first = await busy(batcher, gated)
        tasks = start(batcher, "abcdef", length=[5, 23, 6, 5, 24, 2])
        await until(lambda: batcher.queued == 6)
        gated.gate.set()
        assert await asyncio.gather(first, *tasks) == ["<first>", *(f"<{name}>" for name in "abcdef")]
        assert gated.calls == [["first"], ["a", "c", "d"], ["b", "e"], ["f"]]

    asyncio.run(main())


def test_neighbouring_lengths_share_a_call_where_padding_costs_less_than_a_call(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor, call_tokens=13)
        await busy(batcher, gated)
        # From the oldest, of 16 steps: one of 12 costs 4 more, two of 8 would cost 16; up to 24 would cost 2 x 8.
        tasks = start(batcher, "abcdef", length=[16, 12, 8, 8, 24, 100])
        await until(lambda: batcher.queued == 6)
        gated.gate.set()
        await asyncio.gather(*tasks)
        assert gated.calls[1:] == [["a", "b"], ["c", "d"], ["e"], ["f"]]

    asyncio.run(main())


def test_longer_neighbours_are_joined_too_where_that_is_cheap(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor, call_tokens=5)
        await busy(batcher, gated)
        # Padding the oldest from 4 steps to 6 costs 2, and then both of them to 8 costs 4.
        tasks = start(batcher, "abcd", length=[4, 6, 8, 12])
        await until(lambda: batcher.queued == 4)
        gated.gate.set()
        await asyncio.gather(*tasks)
        assert gated.calls[1:] == [["a", "b", "c"], ["d"]]

    asyncio.run(main())


def test_requests_of_different_keys_never_share_a_call(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor)
        await busy(batcher, gated)
        tasks = [*start(batcher, "ab", key=1), *start(batcher, "cd", key=2)]
        await until(lambda: batcher.queued == 4)
        gated.gate.set()
        await asyncio.gather(*tasks)
        assert gated.calls[1:] == [["a", "b"], ["c", "d"]]

    asyncio.run(main())


def test_a_call_keeps_to_its_budget_of_padded_tokens_and_a_larger_request_runs_alone(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor, max_tokens=40, call_tokens=0)
        await busy(batcher, gated)
        # 3 rows of 8 steps are 24 tokens; a fourth and fifth of 2 rows would make 56.
        tasks = start(batcher, "abc", length=8)
        tasks += start(batcher, ["two rows"], length=8, rows=2)
        tasks += start(batcher, ["huge"], length=8, rows=13)
        tasks += start(batcher, "d", length=7)
        await until(lambda: batcher.queued == 6)
        gated.gate.set()
        await asyncio.gather(*tasks)
        assert gated.calls[1:] == [["a", "b", "c", "two rows"], ["huge"], ["d"]]

    asyncio.run(main())


def test_the_oldest_leads_so_that_an_odd_length_is_not_left_behind(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor, max_tokens=16)
        await busy(batcher, gated)
        odd = start(batcher, ["odd"], length=100)
        common = start(batcher, "abcdefgh", length=8)
        await until(lambda: batcher.queued == 9)
        gated.gate.set()
        await asyncio.gather(*odd, *common)
        assert gated.calls[1] == ["odd"]
        assert gated.calls[2:] == [["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]]

    asyncio.run(main())


def test_several_workers_run_at_the_same_time(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor, workers=2)
        tasks = [task for name in "abc" for task in start(batcher, [name], key=name)]
        await until(lambda: len(gated.calls) == 2 and batcher.queued == 1)
        assert batcher.running == 2
        gated.gate.set()
        await asyncio.gather(*tasks)
        assert sorted(gated.calls) == [["a"], ["b"], ["c"]]

    asyncio.run(main())


def test_a_waiting_time_gathers_company(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor, max_wait_seconds=0.05)
        gated.gate.set()
        tasks = start(batcher, "a")
        await asyncio.sleep(0.005)
        assert gated.calls == []
        tasks += start(batcher, "b")
        await asyncio.gather(*tasks)
        assert gated.calls == [["a", "b"]]

    asyncio.run(main())


def test_a_full_call_waits_no_longer(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor, max_wait_seconds=1000, max_tokens=24)
        gated.gate.set()
        tasks = start(batcher, "abc", length=8)
        assert await asyncio.wait_for(asyncio.gather(*tasks), 20) == ["<a>", "<b>", "<c>"]
        assert gated.calls == [["a", "b", "c"]]

    asyncio.run(main())


def test_a_full_queue_sends_away_and_says_when_to_come_back(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor, max_queue=2)
        await busy(batcher, gated)
        tasks = start(batcher, "ab")
        await until(lambda: batcher.queued == 2)
        with pytest.raises(Overloaded, match=r"2 requests \(14 tokens\) wait already.*Try again in") as caught:
            await batcher.submit("c", key="", length=7)
        assert caught.value.retry_after_seconds > 0
        gated.gate.set()
        assert await asyncio.gather(*tasks) == ["<a>", "<b>"]
        assert await batcher.submit("c", key="", length=7) == "<c>"

    asyncio.run(main())


def test_a_queue_is_full_by_tokens_too_but_lets_one_in_when_it_is_empty(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor, max_queue_tokens=50)
        await busy(batcher, gated)
        [large] = start(batcher, ["large"], length=100)
        await until(lambda: batcher.queued == 1)
        with pytest.raises(Overloaded):
            await batcher.submit("small", key="", length=1)
        gated.gate.set()
        assert await large == "<large>"

    asyncio.run(main())


def test_a_request_whose_time_is_over_leaves_the_queue(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor)
        first = await busy(batcher, gated)
        with pytest.raises(DeadlineExceeded, match=r"no answer within 0\.02 seconds"):
            await batcher.submit("late", key="", length=7, timeout=0.02)
        assert batcher.queued == 0
        gated.gate.set()
        await first
        assert gated.calls == [["first"]]

    asyncio.run(main())


def test_a_cancelled_request_gives_its_place_away(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor, max_queue=2)
        await busy(batcher, gated)
        gone, stays = start(batcher, ["gone", "stays"])
        await until(lambda: batcher.queued == 2)
        gone.cancel()
        await until(lambda: batcher.queued == 1)
        [new] = start(batcher, ["new"])
        await until(lambda: batcher.queued == 2)
        gated.gate.set()
        assert await asyncio.gather(stays, new) == ["<stays>", "<new>"]
        assert gated.calls[1:] == [["stays", "new"]]

    asyncio.run(main())


def test_a_request_cancelled_while_it_runs_disturbs_nobody(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor)
        first = await busy(batcher, gated)
        first.cancel()
        tasks = start(batcher, "ab")
        gated.gate.set()
        assert await asyncio.gather(*tasks) == ["<a>", "<b>"]
        await until(lambda: batcher.running == 0)

    asyncio.run(main())


def test_a_request_that_fails_does_so_alone(executor):
    def run(payloads):
        if "poison" in payloads:
            raise ServingError("it does not run")
        return [payload.upper() for payload in payloads]

    async def main():
        seen = []
        batcher = Batcher(run, executor=executor, max_wait_seconds=0.02, observe=seen.append)
        tasks = start(batcher, ["a", "poison", "b"])
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [answers[0], answers[2]] == ["A", "B"]
        assert isinstance(answers[1], ServingError)
        assert str(answers[1]) == "it does not run"
        assert [(stats.requests, stats.rows, stats.tokens, stats.padded_tokens) for stats in seen] == [(3, 3, 21, 21)]

    asyncio.run(main())


def test_a_run_that_loses_an_answer_gives_nobody_that_of_another(executor):
    async def main():
        batcher = Batcher(lambda payloads: list(payloads)[1:], executor=executor, max_wait_seconds=0.02)
        answers = await asyncio.gather(*start(batcher, "ab"), return_exceptions=True)
        assert [type(answer) for answer in answers] == [ValueError, ValueError]

    asyncio.run(main())


def test_closing_drains_and_refuses_what_comes_later(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor, max_wait_seconds=1000)
        tasks = start(batcher, "ab")
        await until(lambda: batcher.queued == 2)
        closing = asyncio.create_task(batcher.close())
        await until(lambda: gated.calls)
        with pytest.raises(Unavailable, match="takes no more requests"):
            await batcher.submit("c", key="", length=7)
        assert not closing.done()
        gated.gate.set()
        assert await asyncio.gather(*tasks) == ["<a>", "<b>"]
        await closing

    asyncio.run(main())


def test_what_has_not_begun_when_the_drain_is_over_is_refused(gated, executor):
    async def main():
        batcher = Batcher(gated, executor=executor)
        first = await busy(batcher, gated)
        waiting = start(batcher, "ab")
        await until(lambda: batcher.queued == 2)
        await batcher.close(drain_seconds=0.02)
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
        gated.gate.set()
        assert await first == "<first>"

    asyncio.run(main())


def test_without_workers_nobody_waits_for_ever():
    async def main():
        executor = ThreadPoolExecutor(1)
        executor.shutdown()
        with pytest.raises(Unavailable, match="shutting down"):
            await Batcher(list, executor=executor).submit("a", key="", length=1)

    asyncio.run(main())


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_the_answer_alone_equals_the_answer_in_any_company(masked, seed, write_bundle, draw, executor):
    """Random rows and lengths, arrays and lists, cancellations and requests that are refused, all at the same time."""
    rng = np.random.default_rng(seed)
    failing = -987.0

    with Predictor(write_bundle(mask=masked), num_threads=1) as predictor:

        def run(requests):
            blocks = (block for request in requests for block in request.rows.blocks)
            if any((array == failing).any() for block in blocks for array in block.arrays):
                raise ServingError("poison")
            return predictor.run(requests)

        async def ask(batcher, inputs):
            request = predictor.read(inputs)
            await asyncio.sleep(rng.uniform(0, 0.02))
            return await batcher.submit(
                request, key=request.key, length=request.length, rows=request.num_rows, tokens=request.num_tokens
            )

        async def main():
            stats = []
            batcher = Batcher(run, executor=executor, workers=2, max_tokens=97, observe=stats.append)
            inputs, kinds = [], []
            for i in range(83):
                rows, as_array = int(rng.integers(1, 6)), bool(rng.integers(2))
                words, shapes = draw(rng, [int(rng.integers(1, 12))] * rows if as_array else rng.integers(1, 30, rows))
                kinds.append("poison" if i % 17 == 5 else "cancelled" if i % 7 == 3 else "fine")
                if kinds[-1] == "poison":
                    shapes[0][0, 0] = failing
                given = {"words": np.stack(words), "shapes": np.stack(shapes)} if as_array else None
                inputs.append(given or {"words": words, "shapes": shapes})
            tasks = [asyncio.create_task(ask(batcher, given)) for given in inputs]
            for kind, task in zip(kinds, tasks, strict=True):
                if kind == "cancelled":
                    asyncio.get_running_loop().call_later(rng.uniform(0, 0.02), task.cancel)
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            await batcher.close()
            return inputs, kinds, answers, stats

        inputs, kinds, answers, stats = asyncio.run(main())
        for given, kind, answer in zip(inputs, kinds, answers, strict=True):
            if kind == "cancelled" and isinstance(answer, asyncio.CancelledError):
                continue
            if kind == "poison":
                assert isinstance(answer, ServingError)
                continue
            alone = predictor.predict(given)
            assert answer.keys() == alone.keys()
            for name in alone:
                assert isinstance(answer[name], list) == isinstance(alone[name], list)
                for one, other in zip(answer[name], alone[name], strict=True):
                    np.testing.assert_allclose(one, other, rtol=0, atol=ATOL)
    assert max(s.requests for s in stats) > 1  # there was company
    assert all(s.tokens <= s.padded_tokens for s in stats)


def test_requests_with_other_options_run_apart_and_each_as_alone(decoder):
    source = [[4, 2, 3], [5]]
    requests = [decoder.read(source, {"max_length": most}) for most in (2, 5, 2)]
    for answer, most in zip(decoder.run(requests), (2, 5, 2), strict=True):
        alone = decoder.predict(source, {"max_length": most})
        assert {len(row) for row in answer["ids"]} == {len(row) for row in alone["ids"]}
        for name, rows in alone.items():
            for one, other in zip(answer[name], rows, strict=True):
                np.testing.assert_array_equal(one, other)
    assert requests[0].key == requests[2].key != requests[1].key


def test_what_is_drawn_at_random_has_a_call_of_its_own_as_it_depends_on_the_place_in_the_batch(
    decoder, tmp_path, monkeypatch
):
    decoding = {"strategy": "Sampling", "start_id": 1, "end_id": 2}
    path = write_language_model(tmp_path / "stories", decoding, {"max_length": 7, "seed": 0}, document())
    calls, run = [], Session.run

    def counted(self, feeds):
        calls.append(len(next(iter(feeds.values()))))
        return run(self, feeds)

    monkeypatch.setattr(Session, "run", counted)
    with Predictor(path, graph="generate") as writer:
        drawn = [writer.read([[4, 5]]) for _ in range(3)]
        writer.run(drawn)
    assert calls == [1, 1, 1]
    assert len({request.key for request in drawn}) == 3
    calls.clear()
    searched = [decoder.read([[4, 2], [5]]) for _ in range(3)]
    decoder.run(searched)
    assert calls == [6]
    assert len({request.key for request in searched}) == 1


def test_a_request_is_checked_before_it_meets_others(write_bundle):
    with Predictor(write_bundle()) as predictor, pytest.raises(InputError, match="ids run from 0 to 22"):
        predictor.read({"words": [[999]], "shapes": [np.zeros((1, 3))]})
