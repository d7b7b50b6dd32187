"""Streams of a server: what each is told does not depend on who else is there, and nobody's trouble is another's."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_seq.serving import Batcher, DeadlineExceeded, InputError, Overloaded, ServingError, Stream, Unavailable
from keras_seq.serving.session import Session
from keras_seq.serving.stream_batch import StreamBatch
from tests.serving.toy_cache import FEATURES, LONGEST, attended, write_cache

ATOL = 1e-6


@pytest.fixture
def executor():
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def sequences(draw):
    """Draws sequences of one row each: `sequences(rng, lengths)`."""

    def draw_sequences(rng, lengths):
        pairs = zip(*draw(rng, lengths), strict=True)
        return [{"words": words[np.newaxis], "shapes": shapes[np.newaxis]} for words, shapes in pairs]

    return draw_sequences


def chunk(inputs, start, stop):
    return {name: value[:, start:stop] for name, value in inputs.items()}


def served(bundle, executor, *, max_queue=512, **limits):
    """Streams over the graph `step`."""
    stream = Stream(bundle)
    return StreamBatch(stream, Batcher(stream.run, executor=executor, max_queue=max_queue), **limits)


async def until(condition):
    """Lets others go on until the condition holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def feed_all(stream, sequence, rng, name):
    """Feeds a whole sequence in random chunks, with pauses; the per-step output end to end."""
    length, parts = next(iter(sequence.values())).shape[1], []
    while stream.steps < length:
        size = int(rng.choice([1, 1, 1, 2, 3, 7]))
        parts.append((await stream.feed(chunk(sequence, stream.steps, stream.steps + size)))[name])
        if rng.random() < 0.2:
            await asyncio.sleep(float(rng.random()) * 0.002)
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_many_streams_side_by_side_each_get_the_whole(masked_path, masked, sequences, executor, gate, seed):
    rng = np.random.default_rng(seed)
    given = sequences(rng, rng.integers(1, 41, size=37))
    alone = [masked.predict(each)["tags"] for each in given]
    gate.rows.clear()

    async def main():
        batch = served(masked_path, executor)
        streams = [batch.open() for _ in given]
        pairs = zip(streams, given, strict=True)
        feeds = (feed_all(*pair, np.random.default_rng(i), "tags") for i, pair in enumerate(pairs))
        answers = await asyncio.gather(*feeds)
        assert batch.nbytes == sum(stream.nbytes for stream in streams) > 0
        for stream in streams:
            stream.close()
        assert (batch.num_streams, batch.nbytes, batch.queued, batch.running) == (0, 0, 0, 0)
        await batch.close(1)
        return answers

    for answer, expected in zip(asyncio.run(main()), alone, strict=True):
        np.testing.assert_allclose(answer, expected, atol=ATOL)
    assert max(gate.rows) > 2  # they shared calls


def test_streams_that_attend_each_get_the_whole(tmp_path, executor):
    rng = np.random.default_rng(0)
    given = [{"signal": rng.normal(size=(1, LONGEST, FEATURES)).astype("float32")} for _ in range(11)]

    async def main():
        batch = served(write_cache(tmp_path / "looker"), executor)
        tasks = [feed_all(batch.open(), each, np.random.default_rng(i), "context") for i, each in enumerate(given)]
        answers = await asyncio.gather(*tasks)
        await batch.close(1)
        return answers

    for answer, each in zip(asyncio.run(main()), given, strict=True):
        np.testing.assert_allclose(answer, attended(each["signal"]), atol=1e-5)


def test_a_bad_chunk_a_cancelled_feed_and_a_late_one_touch_nobody_else(masked_path, masked, sequences, executor, gate):
    given = sequences(np.random.default_rng(1), [8] * 5)
    alone = [masked.predict(each)["tags"] for each in given]

    async def main():
        batch = served(masked_path, executor)
        streams = [batch.open() for _ in given]
        for stream, each in zip(streams, given, strict=True):
            await stream.feed(chunk(each, 0, 3))
        before = [stream.snapshot() for stream in streams]
        gate.clear()
        first = asyncio.create_task(streams[0].feed(chunk(given[0], 3, 5)))
        await until(lambda: batch.running)
        waiting = [
            asyncio.create_task(stream.feed(chunk(each, 3, 5), 0.05 if i == 2 else None))
            for i, (stream, each) in enumerate(zip(streams, given, strict=True))
            if i in (1, 2, 3)
        ]
        with pytest.raises(InputError, match="ids run from 0 to 22"):
            await streams[4].feed(chunk(given[4], 3, 5) | {"words": np.full((1, 2), 99)})
        await until(lambda: batch.queued == 3)
        waiting[0].cancel()
        with pytest.raises(DeadlineExceeded, match=r"no answer within 0.05 seconds"):
            await waiting[1]
        await until(lambda: batch.queued == 1)
        assert [stream.snapshot() for stream in streams] == before
        gate.set()
        await asyncio.gather(first, waiting[2])
        assert [stream.steps for stream in streams] == [5, 3, 3, 5, 3]
        answers = []
        for stream, each in zip(streams, given, strict=True):
            start = stream.steps
            answers.append((start, (await stream.feed(chunk(each, start, 8)))["tags"]))
        await batch.close(1)
        return answers

    for (start, answer), expected in zip(asyncio.run(main()), alone, strict=True):
        np.testing.assert_allclose(answer, expected[:, start:], atol=ATOL)


def test_a_feed_cancelled_while_it_is_computed_leaves_the_stream_as_it_was(masked_path, sequences, executor, gate):
    (sequence,) = sequences(np.random.default_rng(1), [8])

    async def main():
        batch = served(masked_path, executor)
        stream = batch.open()
        await stream.feed(chunk(sequence, 0, 3))
        before = stream.snapshot()
        gate.clear()
        task = asyncio.create_task(stream.feed(chunk(sequence, 3, 5)))
        await until(lambda: batch.running)
        for act in (stream.reset, lambda: stream.restore(before)):
            with pytest.raises(ServingError, match=r"chunk of this stream is still being computed. Wait"):
                act()
        with pytest.raises(ServingError, match="still being computed"):
            await stream.feed(chunk(sequence, 3, 5))
        assert stream.snapshot() == before
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()
        await until(lambda: not batch.running)
        assert stream.snapshot() == before
        await stream.feed(chunk(sequence, 3, 5))
        assert stream.steps == 5
        await batch.close(1)

    asyncio.run(main())


def test_a_stream_closed_while_it_is_fed_is_gone(masked_path, sequences, executor, gate):
    (sequence,) = sequences(np.random.default_rng(1), [8])

    async def main():
        batch = served(masked_path, executor)
        stream = batch.open()
        gate.clear()
        task = asyncio.create_task(stream.feed(sequence))
        await until(lambda: batch.running)
        stream.close()
        assert (stream.closed, batch.num_streams) == (True, 0)
        gate.set()
        message = "The stream is closed. Open a new one"
        with pytest.raises(ServingError, match=message):
            await task
        with pytest.raises(ServingError, match=message):
            await stream.feed(sequence)
        for act in (stream.snapshot, stream.reset, lambda: stream.restore(b"")):
            with pytest.raises(ServingError, match=message):
                act()
        stream.close()
        await batch.close(1)

    asyncio.run(main())


def test_a_call_that_fails_is_tried_for_each_alone(masked_path, masked, sequences, executor, gate, monkeypatch):
    given = sequences(np.random.default_rng(1), [8] * 4)
    expected = masked.predict(given[3])["tags"]
    run = Session.run

    def poisoned(self, feeds):
        answer = run(self, feeds)
        if (feeds["words"] == 13).any():
            raise ServingError("ONNX Runtime failed")
        return answer

    for each in given:
        each["words"][each["words"] == 13] = 12
    expected = masked.predict(given[3])["tags"]
    monkeypatch.setattr(Session, "run", poisoned)
    given[1]["words"][0, 5] = 13

    async def main():
        batch = served(masked_path, executor)
        streams = [batch.open() for _ in given]
        gate.clear()
        tasks = [asyncio.create_task(streams[0].feed(given[0]))]
        await until(lambda: batch.running)
        tasks += [asyncio.create_task(s.feed(each)) for s, each in zip(streams[1:], given[1:], strict=True)]
        await until(lambda: batch.queued == 3)  # these share a call
        gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [stream.steps for stream in streams] == [8, 0, 8, 8]
        await batch.close(1)
        return answers

    answers = asyncio.run(main())
    assert isinstance(answers[1], ServingError)
    np.testing.assert_allclose(answers[3]["tags"], expected, atol=ATOL)


def test_snapshots_go_between_servers_and_streams_of_a_program(masked_path, masked, sequences, executor):
    (sequence,) = sequences(np.random.default_rng(2), [11])

    async def main():
        one, other = (served(masked_path, executor) for _ in range(2))
        stream = one.open()
        parts = [await stream.feed(chunk(sequence, 0, 4))]
        moved = other.open()
        moved.restore(stream.snapshot())
        await one.close(1)
        assert moved.nbytes == stream.nbytes
        with pytest.raises(Unavailable):
            await stream.feed(chunk(sequence, 4, 5))
        assert len(stream.snapshot()) > moved.nbytes  # not all is lost: another server can go on
        parts.append(await moved.feed(chunk(sequence, 4, 9)))
        with Stream(masked_path, keep_outputs=False) as program:
            program.restore(moved.snapshot())
            parts.append(program.feed(chunk(sequence, 9, 11)))
            program.reset()
            program.feed({name: np.concatenate([value] * 2) for name, value in sequence.items()})
            with pytest.raises(InputError, match=r"snapshot is of 2 sequences .* this stream is of 1. Take"):
                moved.restore(program.snapshot())
        assert moved.steps == 9
        moved.reset()
        assert (moved.steps, moved.nbytes) == (0, 0)
        await other.close(1)
        return np.concatenate([part["tags"] for part in parts], axis=1)

    np.testing.assert_allclose(asyncio.run(main()), masked.predict(sequence)["tags"], atol=ATOL)


def test_the_sizes_of_chunks_and_streams_are_limited(tmp_path, executor):
    signal = np.random.default_rng(0).normal(size=(1, LONGEST, FEATURES)).astype("float32")

    async def main():
        batch = served(write_cache(tmp_path / "looker"), executor, max_steps=7, max_bytes=460)
        stream = batch.open()
        with pytest.raises(InputError, match=r"A chunk may have 7 steps at most. Received: 8. Cut it"):
            await stream.feed(signal[:, :8])
        with pytest.raises(InputError, match=r"stream is of 1 sequence. Received a chunk of 2. Open another"):
            await stream.feed(np.concatenate([signal[:, :2]] * 2))
        assert stream.steps == 0
        for start in (0, 7):
            await stream.feed(signal[:, start : start + 7])
        message = r"states of one stream may take 460 bytes, and those of this one would take 484: the model remembers"
        with pytest.raises(InputError, match=message):
            await stream.feed(signal[:, 14:15])
        smaller, larger = served(batch.bundle, executor, max_bytes=451), served(batch.bundle, executor)
        with pytest.raises(InputError, match=r"may take 451 bytes, and those of this one would take 452"):
            smaller.open().restore(stream.snapshot())
        larger.open().restore(stream.snapshot())
        await smaller.close(1)
        pair = batch.open(rows=2)
        assert (await pair.feed(np.concatenate([signal[:, :2]] * 2)))["context"].shape[0] == 2
        await batch.close(1)
        await larger.close(1)

    asyncio.run(main())


def test_streams_that_grow_share_a_bound_and_those_that_do_not_have_none(tmp_path, masked_path, sequences, executor):
    signal = np.random.default_rng(0).normal(size=(1, 11, FEATURES)).astype("float32")
    (sequence,) = sequences(np.random.default_rng(1), [8])

    async def main():
        batch = served(write_cache(tmp_path / "looker"), executor, max_total_bytes=1000)
        first, second = batch.open(), batch.open()
        assert (await first.feed(signal))["context"].shape == (1, 11, 5)  # 356 bytes
        await second.feed(signal)
        third = batch.open()
        with pytest.raises(
            Overloaded, match=r"all streams may take 1000 bytes together, and take 7\d\d. Try again when"
        ):
            await third.feed(signal)
        assert third.steps == 0
        first.close()
        await asyncio.sleep(0.15)
        await third.feed(signal)
        plain = served(masked_path, executor, max_total_bytes=1)
        await plain.open().feed(sequence)
        await batch.close(1)
        await plain.close(1)

    asyncio.run(main())


def test_a_full_queue_sends_chunks_away_and_they_may_come_again(masked_path, sequences, executor, gate):
    given = sequences(np.random.default_rng(1), [8] * 4)

    async def main():
        batch = served(masked_path, executor, max_queue=2)
        streams = [batch.open() for _ in given]
        gate.clear()
        tasks = [asyncio.create_task(streams[0].feed(given[0]))]
        await until(lambda: batch.running)
        tasks += [asyncio.create_task(s.feed(each)) for s, each in zip(streams[1:3], given[1:3], strict=True)]
        await until(lambda: batch.queued == 2)
        with pytest.raises(Overloaded):
            await streams[3].feed(given[3])
        gate.set()
        await asyncio.gather(*tasks)
        await streams[3].feed(given[3])
        await batch.close(1)
        with pytest.raises(Unavailable):
            await streams[3].feed(given[3])

    asyncio.run(main())


def test_a_stream_that_is_forgotten_goes_with_its_memory(masked_path, sequences, executor):
    (sequence,) = sequences(np.random.default_rng(1), [8])

    async def main():
        batch = served(masked_path, executor)
        stream = batch.open()
        await stream.feed(sequence)
        assert (batch.num_streams, batch.nbytes) == (1, stream.nbytes)
        del stream
        assert (batch.num_streams, batch.nbytes) == (0, 0)
        await batch.close(1)

    asyncio.run(main())
