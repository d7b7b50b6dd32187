"""Streams over real WebSockets: whoever else is connected, and however they leave, each gets its own answers."""

import asyncio
import contextlib
import json
import time
import urllib.request
from socket import SO_RCVBUF, SOL_SOCKET, create_connection

import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from keras_seq.serving import Predictor, Stream
from keras_seq.serving.server import ModelRepository, ServerSettings, create_app
from keras_seq.serving.server.run import ThreadedServer
from tests.serving.test_chunk_text import add_tokenizer
from tests.serving.toy_cache import FEATURES, LONGEST, attended, write_cache
from tests.serving.toy_text import document

ATOL = 1e-6


@contextlib.contextmanager
def serving(bundles, **settings):
    """A server with its repository."""
    repository = ModelRepository(bundles, settings=ServerSettings(**{"workers": 1, **settings}))
    with ThreadedServer(create_app(repository)) as server:
        server.repository = repository
        yield server


@pytest.fixture(scope="module")
def server(masked_path, tmp_path_factory):
    """A server with a tagger and a model that attends, and limits that tests can reach."""
    bundles = {"tagger": masked_path, "looker": write_cache(tmp_path_factory.mktemp("bundles") / "looker")}
    limits = {"max_length": 64, "max_body_bytes": 300_000, "max_snapshot_bytes": 4000, "timeout_seconds": 20.0}
    with serving(bundles, **limits) as server:
        yield server


def open_stream(server, model="tagger", query="", **arguments):
    url = f"{server.url.replace('http', 'ws')}/v1/{model}/stream{query}"
    return connect(url, proxy=None, **arguments)


async def ask(socket, frame):
    """Send a frame and read the answer: an object for text, bytes for bytes."""
    await socket.send(frame if isinstance(frame, (str, bytes)) else json.dumps(frame))
    answer = await asyncio.wait_for(socket.recv(), 20)
    return answer if isinstance(answer, bytes) else json.loads(answer)


def as_json(words, shapes):
    return {"inputs": {"words": words.tolist(), "shapes": shapes.tolist()}}


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def gauges(server, model="tagger"):
    return server.repository.get(model).stream_gauges


def sequence(draw, seed=0, steps=11):
    """Words and shapes of one sequence."""
    words, shapes = draw(np.random.default_rng(seed), [steps])
    return words[0], shapes[0]


def whole(masked, words, shapes):
    answer = masked.predict({"words": words[np.newaxis], "shapes": shapes[np.newaxis]})
    return {name: value[0] for name, value in answer.items()}


async def feed_all(socket, words, shapes, rng):
    """A whole sequence in random chunks; the tags of all steps, and the last answer."""
    tags, done = [], 0
    while done < len(words):
        end = min(len(words), done + int(rng.choice([1, 1, 2, 5])))
        answer = await ask(socket, as_json(words[done:end], shapes[done:end]))
        assert answer["steps"] == end, answer
        assert len(answer["outputs"]["tags"]) == end - done
        tags += answer["outputs"]["tags"]
        done = end
    return np.array(tags), answer


def test_many_clients_each_get_the_whole_of_their_own(server, masked, draw, gate):
    given = [
        sequence(draw, seed, steps) for seed, steps in enumerate(np.random.default_rng(1).integers(1, 31, size=41))
    ]
    expected = [whole(masked, *each) for each in given]
    gate.rows.clear()

    async def one(number, words, shapes):
        rng = np.random.default_rng(number)
        async with open_stream(server) as socket:
            tags, last = await feed_all(socket, words, shapes, rng)
            if number % 3 == 0:  # the same again, from the start
                assert await ask(socket, {"action": "reset"}) == {"steps": 0}
                tags, last = await feed_all(socket, words, shapes, rng)
            return tags, last["outputs"]["sentence"]

    async def main():
        return await asyncio.gather(*(one(number, *each) for number, each in enumerate(given)))

    for (tags, sentence), answer in zip(asyncio.run(main()), expected, strict=True):
        np.testing.assert_allclose(tags, answer["tags"], atol=ATOL)
        np.testing.assert_allclose(sentence, answer["sentence"], atol=ATOL)
    assert max(gate.rows) > 1  # they shared calls
    assert gauges(server) == {"open": 0, "bytes": 0}


def test_a_model_that_attends_streams_until_it_is_full(server):
    signal = np.random.default_rng(0).normal(size=(LONGEST + 1, FEATURES)).astype("float32")

    async def one(size):
        async with open_stream(server, "looker") as socket:
            received = []
            for start in range(0, LONGEST, size):
                chunk = signal[start : min(start + size, LONGEST)]
                received += (await ask(socket, {"inputs": {"signal": chunk.tolist()}}))["outputs"]["context"]
            full = await ask(socket, {"inputs": signal[LONGEST:].tolist()})  # one input needs no name
            assert full["code"] == "invalid_input"
            assert f"The stream is full: the model takes {LONGEST} steps at most" in full["error"]
            return received

    async def main():
        return await asyncio.gather(*(one(size) for size in (1, 2, 3, 7, LONGEST)))

    expected = attended(signal[np.newaxis, :LONGEST])[0]
    for received in asyncio.run(main()):
        np.testing.assert_allclose(received, expected, atol=1e-5)


WORDS = {"words": [4, 8], "shapes": [[0, 0, 0], [0, 0, 0]]}
WRONG = {
    "no JSON": ("{", r"A frame must be JSON"),
    "deep": ("[" * 100_000, r"A frame must be JSON"),
    "a list": ("[1]", r"must be one of {\"inputs\""),
    "two things": ({"inputs": WORDS, "action": "reset"}, "Received: \"an object with 'inputs', 'action'\""),
    "unknown": ({"input": WORDS}, "an object with 'input'"),
    "action": ({"action": "stop"}, "`action` must be 'snapshot', 'reset'. Received: 'stop'"),
    "lacking": ({"inputs": {"words": [4]}}, "missing: 'shapes'"),
    "bare": ({"inputs": [4]}, "must be given by name in a dict"),
    "id": ({"inputs": WORDS | {"words": [4, 99]}}, "ids run from 0 to 22"),
    "ragged": ({"inputs": WORDS | {"shapes": [[1], [1, 2]]}}, "cannot be made an array"),
    "text for numbers": ({"inputs": WORDS | {"words": ["a", "b"]}}, "strings or mixed objects are no numbers"),
    "with batch": (
        {"inputs": WORDS | {"words": [[4, 8]]}},
        r"has 2 dimensions, not 1.*so a chunk is \(time\), without",
    ),
    "unequal": ({"inputs": WORDS | {"words": [4]}}, "Inputs must agree in dimension 'time'"),
    "empty": ({"inputs": {"words": [], "shapes": []}}, "not 2"),
    "no steps": ({"inputs": {"words": [], "shapes": [[0, 0, 0]]}}, "has length zero"),
    "NaN": ('{"inputs": {"words": [4], "shapes": [[NaN, 0, 0]]}}', r"the value at \(0, 0, 0\) is nan"),
    "huge": ({"inputs": WORDS | {"words": [4, 10**40]}}, "no numbers"),
    "long": ({"inputs": {"words": [4] * 65, "shapes": [[0, 0, 0]] * 65}}, "A chunk may have 64 steps at most"),
    "text": ({"text": "the dog"}, "has no tokenizer, so it takes ids"),
    "damaged": (b"keras_seq stream snapshot 1\n" + bytes(99), "is damaged or cut short"),
    "no snapshot": (b"\0\1", "These 2 bytes are not a stream's snapshot"),
    "large snapshot": (bytes(4001), "A snapshot may have 4000 bytes. Received: 4001"),
}


def test_wrong_frames_are_told_what_is_wrong_and_change_nothing(server, masked, draw):
    words, shapes = sequence(draw)

    async def main():
        async with open_stream(server) as socket:
            tags = (await ask(socket, as_json(words[:5], shapes[:5])))["outputs"]["tags"]
            faults = {kind: await ask(socket, frame) for kind, (frame, _) in WRONG.items()}
            last = await ask(socket, as_json(words[5:], shapes[5:]))
            assert last["steps"] == 11
            return faults, tags + last["outputs"]["tags"]

    faults, tags = asyncio.run(main())
    np.testing.assert_allclose(tags, whole(masked, words, shapes)["tags"], atol=ATOL)
    for kind, (_, message) in WRONG.items():
        assert set(faults[kind]) == {"error", "code", "request_id"}, kind
        assert faults[kind]["code"] == "invalid_input", kind
        with pytest.raises(ValueError, match=message):
            raise ValueError(faults[kind]["error"])
        assert "/" not in faults[kind]["error"].replace("shutdown", ""), kind  # no path


@pytest.mark.parametrize(
    ("model", "query", "code", "reason"),
    [
        ("nobody", "", 1008, "There is no model 'nobody'. There are: 'looker', 'tagger'."),
        ("tagger", "?version=7", 1008, "Model 'tagger' has no version '7'."),
        ("dates", "", 1008, "has no streams. Export it with `streaming=True`"),
    ],
)
def test_what_is_not_there_closes_with_the_reason(server, masked_path, decoder_path, model, query, code, reason):
    async def main():
        async with open_stream(target, model, query) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), 20)
            return closed.value.rcvd

    with contextlib.ExitStack() as stack:
        target = server if model != "dates" else stack.enter_context(serving({"dates": decoder_path}))
        received = asyncio.run(main())
    assert received.code == code
    assert reason in received.reason


def test_texts_are_chunks_where_there_is_a_tokenizer(write_bundle):
    folder = add_tokenizer(write_bundle("words"), "words", document(), {"tags": [f"tag{i}" for i in range(11)]})
    shapes = [[0.5, 0, 0], [0, 1, 0]]

    async def main(server):
        async with open_stream(server, "words") as socket:
            answer = await ask(socket, {"text": {"words": "the dog", "shapes": shapes}})
            assert answer["steps"] == 2
            assert answer["outputs"]["tokens"] == ["the", "dog"]
            best = np.argmax(answer["outputs"]["tags"], axis=1)
            assert answer["outputs"]["tags.labels"] == [f"tag{i}" for i in best]
            assert await ask(socket, {"text": {"words": " ", "shapes": shapes}}) == {
                "outputs": {"tokens": []},
                "steps": 2,
            }
            for text, message in (
                ({"words": "the dog", "shapes": [shapes]}, r"without 'batch'"),
                ({"words": "the", "shapes": shapes}, "Inputs must agree in dimension 'time'"),
                ("the dog", "texts must be given by name in a dict"),
                ({"words": "x" * 100, "shapes": shapes}, "A text may have 150 characters"),
            ):
                fault = await ask(socket, {"text": text})
                assert fault["code"] == "invalid_input"
                assert message in fault["error"]
            assert (await ask(socket, {"inputs": {"words": [4], "shapes": [[0, 0, 0]]}}))["steps"] == 3
            return answer["outputs"]["tags"]

    with serving({"words": folder}, max_text_characters=150) as server, Predictor(folder) as predictor:
        tags = asyncio.run(main(server))
        whole = predictor.predict_text({"words": ["the dog"], "shapes": [shapes]})
    np.testing.assert_allclose(tags, whole["tags"][0], atol=ATOL)


def test_clients_that_vanish_free_their_place_and_what_they_waited_for(server, masked, draw, gate):
    words, shapes = sequence(draw)
    expected = whole(masked, words, shapes)["tags"]

    async def main():
        staying = await open_stream(server)
        await ask(staying, as_json(words[:3], shapes[:3]))
        gate.clear()
        calls = len(gate.rows)
        leaving = [await open_stream(server) for _ in range(5)]
        for number, socket in enumerate(leaving):  # the first is computed, the others wait
            await socket.send(json.dumps(as_json(words[:2], shapes[:2])))
            await until(lambda: len(gate.rows) == calls + 1)
            await until(lambda n=number: server.repository.get("tagger").queued["tagger.step"] == n)
        for number, socket in enumerate(leaving):
            socket.transport.abort() if number % 2 else await socket.close()
        await until(lambda: gauges(server)["open"] == 1)
        assert server.repository.get("tagger").queued["tagger.step"] == 0  # nobody computes for those who left
        gate.set()
        answer = await ask(staying, as_json(words[3:], shapes[3:]))
        np.testing.assert_allclose(answer["outputs"]["tags"], expected[3:], atol=ATOL)
        assert gauges(server)["open"] == 1
        await staying.close()
        await until(lambda: gauges(server) == {"open": 0, "bytes": 0})

    asyncio.run(main())


def test_a_client_that_floods_is_read_no_faster_than_it_is_answered(server, draw, gate):
    words, shapes = sequence(draw, steps=1)
    frame = json.dumps(as_json(words, shapes)) + " " * 100_000

    async def main():
        async with open_stream(server, write_limit=1) as socket:
            gate.clear()
            sent = 0

            async def flood():
                nonlocal sent
                for _ in range(400):
                    await socket.send(frame)
                    sent += 1

            task = asyncio.create_task(flood())
            before = -1
            while sent > before:  # until nothing moves any more
                before = sent
                await asyncio.sleep(0.3)
            assert sent < 200  # sockets hold some megabytes of the 40
            assert server.repository.get("tagger").queued["tagger.step"] == 0
            gate.set()
            for step in range(1, 401):
                assert json.loads(await asyncio.wait_for(socket.recv(), 20))["steps"] == step
            await task

    asyncio.run(main())


def test_a_client_that_does_not_read_is_cut_off(masked_path, draw):
    words, shapes = sequence(draw, steps=64)
    frame = json.dumps(as_json(words, shapes))

    async def main(server):
        narrow = create_connection(("127.0.0.1", server.port))
        narrow.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
        deaf = await open_stream(server, sock=narrow, max_queue=1)
        await until(lambda: gauges(server)["open"] == 1)
        with contextlib.suppress(ConnectionClosed):
            for _ in range(2000):  # answers of 30 MB; sockets hold a few
                await deaf.send(frame)
                if gauges(server)["open"] == 0:
                    break
        await until(lambda: gauges(server) == {"open": 0, "bytes": 0})
        deaf.transport.abort()

    with serving({"tagger": masked_path}, send_timeout_seconds=0.5) as server:
        asyncio.run(main(server))


def test_a_snapshot_goes_on_at_another_server(server, masked, masked_path, draw):
    words, shapes = sequence(draw)

    async def main(other):
        async with open_stream(server) as socket:
            tags = (await ask(socket, as_json(words[:4], shapes[:4])))["outputs"]["tags"]
            saved = await ask(socket, {"action": "snapshot"})
        assert isinstance(saved, bytes)
        async with open_stream(other, "renamed") as socket:
            await ask(socket, as_json(words[:1], shapes[:1]))  # forgotten
            assert await ask(socket, saved) == {"steps": 4}
            answer = await ask(socket, as_json(words[4:], shapes[4:]))
            assert answer["steps"] == 11
            tags += answer["outputs"]["tags"]
        async with open_stream(other, "looker") as socket:
            assert "The snapshot is of another bundle" in (await ask(socket, saved))["error"]
        return tags

    bundles = {"renamed": masked_path, "looker": server.repository.get("looker").bundle.path}
    with serving(bundles) as other:
        tags = asyncio.run(main(other))
    np.testing.assert_allclose(tags, whole(masked, words, shapes)["tags"], atol=ATOL)


def test_a_snapshot_of_several_sequences_or_spoilt_is_refused(server, masked_path, draw):
    words, shapes = sequence(draw)
    with Stream(masked_path) as stream:
        stream.feed({"words": np.stack([words] * 2), "shapes": np.stack([shapes] * 2)})
        pair = stream.snapshot()

    async def main():
        async with open_stream(server) as socket:
            await ask(socket, as_json(words[:4], shapes[:4]))
            saved = await ask(socket, {"action": "snapshot"})
            assert "The snapshot is of 2 sequences side by side" in (await ask(socket, pair))["error"]
            for position in np.random.default_rng(0).integers(0, len(saved), size=20):
                spoilt = bytearray(saved)
                spoilt[position] ^= 4
                assert (await ask(socket, bytes(spoilt)))["code"] == "invalid_input"
            assert await ask(socket, saved) == {"steps": 4}

    asyncio.run(main())


def test_frames_have_a_largest_size(masked_path):
    async def main(server):
        async with open_stream(server) as socket:
            answer = await ask(socket, {"inputs": "x" * 3000})
            assert answer["error"] == "A frame of JSON may have 2000 bytes. Received: 3014. Send less at a time."
            assert (await ask(socket, bytes(3000)))["error"].startswith("These 3000 bytes are not a stream's snapshot")
            assert await ask(socket, {"action": "reset"}) == {"steps": 0}
            await socket.send(bytes(4001))
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), 20)
            assert closed.value.rcvd.code == 1009  # nobody reads it to its end

    with serving({"tagger": masked_path}, max_body_bytes=2000, max_snapshot_bytes=4000) as server:
        asyncio.run(main(server))


def test_the_number_of_streams_is_limited_and_idle_ones_are_ended(masked_path, draw):
    words, shapes = sequence(draw)

    async def closed(socket):
        with pytest.raises(ConnectionClosed) as caught:
            await asyncio.wait_for(socket.recv(), 20)
        return caught.value.rcvd

    async def main(server):
        sockets = [await open_stream(server) for _ in range(3)]
        for socket in sockets:
            await ask(socket, {"action": "reset"})
        refused = await closed(await open_stream(server))
        assert (refused.code, refused.reason) == (
            1013,
            "There are 3 streams already, which is all that may be. Try again later.",
        )
        await sockets.pop().close()
        await until(lambda: gauges(server)["open"] == 2)
        busy = await open_stream(server)
        start = time.monotonic()
        while time.monotonic() < start + 1.2:
            await ask(busy, as_json(words, shapes))
            await asyncio.sleep(0.1)
        ended = [await closed(socket) for socket in sockets]
        assert {(each.code, each.reason) for each in ended} == {(1000, "Idle for 0.6 seconds.")}
        assert gauges(server)["open"] == 1
        await busy.close()

    with serving({"tagger": masked_path}, max_streams=3, stream_idle_seconds=0.6) as server:
        asyncio.run(main(server))


def test_a_chunk_that_takes_too_long_may_be_sent_again(server, masked, draw, gate):
    words, shapes = sequence(draw)
    expected = whole(masked, words, shapes)["tags"]

    async def main():
        headers = {"X-Timeout-Seconds": "0.1"}
        async with open_stream(server, additional_headers=headers) as socket:
            await ask(socket, as_json(words[:4], shapes[:4]))
            gate.clear()
            late = await ask(socket, as_json(words[4:], shapes[4:]))
            assert (late["code"], "within 0.1 seconds" in late["error"]) == ("deadline_exceeded", True)
            gate.set()
            answer = await ask(socket, as_json(words[4:], shapes[4:]))
            assert answer["steps"] == 11
            np.testing.assert_allclose(answer["outputs"]["tags"], expected[4:], atol=ATOL)
        async with open_stream(server, additional_headers={"X-Timeout-Seconds": "soon"}) as socket:
            with pytest.raises(ConnectionClosed, match=r"X-Timeout-Seconds must be a number"):
                await socket.recv()

    asyncio.run(main())


def test_too_much_at_a_time_is_sent_away_and_may_come_again(masked_path, draw, gate):
    words, shapes = sequence(draw)

    async def main(server):
        async with open_stream(server) as one, open_stream(server) as two, open_stream(server) as three:
            gate.clear()
            await one.send(json.dumps(as_json(words, shapes)))
            await until(lambda: gate.rows)
            await two.send(json.dumps(as_json(words, shapes)))
            await until(lambda: server.repository.get("tagger").queued["tagger.step"] == 1)
            away = await ask(three, as_json(words, shapes))
            assert away["code"] == "overloaded"
            assert away["retry_after_seconds"] > 0
            gate.set()
            while (answer := await ask(three, as_json(words, shapes))).get("code") == "overloaded":
                await asyncio.sleep(away["retry_after_seconds"])
            assert answer["steps"] == 11

    with serving({"tagger": masked_path}, max_queue=1) as server:
        asyncio.run(main(server))


def test_a_shutdown_answers_the_chunk_that_is_being_computed(masked_path, draw, gate):
    words, shapes = sequence(draw)

    async def main():
        with serving({"tagger": masked_path}) as server:
            busy, waiting = await open_stream(server), await open_stream(server)
            await ask(waiting, {"action": "reset"})
            gate.clear()
            await busy.send(json.dumps(as_json(words, shapes)))
            await until(lambda: gate.rows)
            stopping = asyncio.get_running_loop().run_in_executor(None, server.__exit__)
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(waiting.recv(), 20)
            assert closed.value.rcvd.code == 1001
            gate.set()
            assert json.loads(await asyncio.wait_for(busy.recv(), 20))["steps"] == 11
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(busy.recv(), 20)
            assert closed.value.rcvd.code == 1001
            await stopping

    asyncio.run(main())


def test_a_stream_goes_on_with_its_own_version_after_a_reload(masked_path, masked, write_bundle, draw):
    words, shapes = sequence(draw)
    folder = write_bundle("tagger")

    async def main(server):
        async with open_stream(server) as socket:
            tags = (await ask(socket, as_json(words[:4], shapes[:4])))["outputs"]["tags"]
            other = write_bundle("other", seed=2)
            for file in other.iterdir():
                (folder / file.name).write_bytes(file.read_bytes())
            load = urllib.request.Request(f"{server.url}/v2/repository/models/tagger/load", b"{}")
            await asyncio.to_thread(lambda: urllib.request.urlopen(load).close())
            tags += (await ask(socket, as_json(words[4:], shapes[4:])))["outputs"]["tags"]
            saved = await ask(socket, {"action": "snapshot"})
        async with open_stream(server) as socket:
            fresh = (await ask(socket, as_json(words, shapes)))["outputs"]["tags"]
            assert "The snapshot is of another bundle" in (await ask(socket, saved))["error"]
        return tags, fresh

    with serving({"tagger": folder}) as server:
        tags, fresh = asyncio.run(main(server))
    expected = whole(masked, words, shapes)["tags"]
    np.testing.assert_allclose(tags, expected, atol=ATOL)
    assert np.abs(fresh - expected).max() > 0.01


def test_pages_of_other_sites_need_a_token(masked_path):
    async def code(server, **arguments):
        async with open_stream(server, **arguments) as socket:
            try:
                await socket.send('{"action": "reset"}')
                return json.loads(await asyncio.wait_for(socket.recv(), 20))["steps"]
            except ConnectionClosed as closed:
                return closed.rcvd.code

    async def main():
        with serving({"tagger": masked_path}) as server:
            assert await code(server) == 0
            assert await code(server, origin=server.url) == 0
            for origin in ("https://elsewhere.example", "null", f"{server.url}0"):
                assert await code(server, origin=origin) == 1008
        with serving({"tagger": masked_path}, tokens=("s3cret",)) as server:
            assert await code(server, query="?token=s3cret", origin="https://elsewhere.example") == 0
            assert await code(server, additional_headers={"Authorization": "Bearer s3cret"}) == 0
            assert await code(server, query="?token=guess") == 1008
            assert await code(server, origin=server.url) == 1008

    asyncio.run(main())
