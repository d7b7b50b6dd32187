"""Streams in rough weather: clients that do all there is to do at once, and frames that nobody should send."""

import asyncio
import contextlib
import json
import time
from hashlib import sha256

import numpy as np
from websockets.asyncio.client import connect

from tests.serving.server.live_server import live_server
from tests.serving.toy_cache import write_cache

ATOL = 1e-6
STEPS = 29


async def ask(socket, frame):
    await socket.send(frame if isinstance(frame, (str, bytes)) else json.dumps(frame))
    answer = await asyncio.wait_for(socket.recv(), 30)
    return answer if isinstance(answer, bytes) else json.loads(answer)


def chunk(words, shapes, start, stop):
    return {"inputs": {"words": words[start:stop].tolist(), "shapes": shapes[start:stop].tolist()}}


def test_whatever_the_others_do_each_is_told_what_it_would_be_told_alone(masked_path, masked, draw):
    rng = np.random.default_rng(5)
    given = list(zip(*draw(rng, [STEPS] * 24), strict=True))
    expected = [masked.predict({"words": w[np.newaxis], "shapes": s[np.newaxis]})["tags"][0] for w, s in given]
    checked = []

    async def client(number, servers):
        rng, (words, shapes), step, saved = np.random.default_rng(number), given[number], 0, None
        stack = contextlib.AsyncExitStack()

        async def reconnect():
            await stack.aclose()
            return await stack.enter_async_context(connect(f"{rng.choice(servers)}/v1/tagger/stream", proxy=None))

        async with stack:
            socket = await reconnect()
            for _ in range(25):
                act = rng.choice(["feed"] * 8 + ["wrong", "save", "reset", "move", "leave", "vanish"])
                if act == "feed":
                    stop = min(STEPS, step + int(rng.integers(1, 5)))
                    if stop == step:
                        assert await ask(socket, {"action": "reset"}) == {"steps": 0}
                        step = 0
                        continue
                    answer = await ask(socket, chunk(words, shapes, step, stop))
                    assert answer["steps"] == stop, answer
                    np.testing.assert_allclose(answer["outputs"]["tags"], expected[number][step:stop], atol=ATOL)
                    checked.append(stop - step)
                    step = stop
                elif act == "wrong":
                    assert (await ask(socket, {"inputs": {"words": [99], "shapes": [[0, 0, 0]]}}))["code"]
                elif act == "save":
                    saved = step, await ask(socket, {"action": "snapshot"})
                elif act == "reset":
                    assert await ask(socket, {"action": "reset"}) == {"steps": 0}
                    step = 0
                elif act == "move" and saved:
                    socket = await reconnect()
                    step = saved[0]
                    assert await ask(socket, saved[1]) == {"steps": step}
                else:  # with a chunk under way
                    await socket.send(json.dumps(chunk(words, shapes, step, STEPS) if step < STEPS else {"text": 1}))
                    if act == "vanish":
                        socket.transport.abort()
                    socket, step = await reconnect(), 0

    async def main(servers):
        await asyncio.gather(*(client(number, servers) for number in range(len(given))))

    with live_server({"tagger": masked_path}) as one, live_server({"tagger": masked_path}) as other:
        asyncio.run(main([server.url.replace("http", "ws") for server in (one, other)]))
        for server in (one, other):
            served = server.repository.get("tagger")
            give_up = time.monotonic() + 20
            while served.stream_gauges["open"] and time.monotonic() < give_up:
                time.sleep(0.01)
            assert (served.stream_gauges, served.queued["tagger.step"]) == ({"open": 0, "bytes": 0}, 0)
    assert sum(checked) > 500


VALUES = [None, True, -1, 1.5, "x", "", [], {}, [[[]]], [1], [[1]], [1, "a"], [None], 10**30, "\ud800", [[0, 0, 0]]]


def wild(rng, depth=0):
    """Any JSON value."""
    kind = rng.random()
    if kind < 0.5 or depth > 3:
        return VALUES[rng.integers(len(VALUES))]
    if kind < 0.75:
        return [wild(rng, depth + 1) for _ in range(rng.integers(0, 4))]
    names = rng.choice(["words", "shapes", "inputs", "text", "action", ""], size=rng.integers(0, 4))
    return {str(name): wild(rng, depth + 1) for name in names}


def spoilt(rng, saved):
    """A snapshot with bytes changed, cut, and often with a digest that fits."""
    data = bytearray(saved)
    for position in rng.integers(0, len(data), size=rng.integers(0, 5)):
        data[position] = rng.integers(256)
    data = bytes(data[: rng.integers(len(data) + 1)] if rng.random() < 0.5 else data)
    head = data.find(b"\n") + 1
    return data if rng.random() < 0.4 else data[:head] + sha256(data[head + 32 :]).digest() + data[head + 32 :]


def test_no_frame_at_all_ends_a_stream_or_is_the_servers_fault(masked_path, tmp_path):
    rng, seen = np.random.default_rng(7), {}
    good = {"tagger": {"inputs": {"words": [4], "shapes": [[0, 0, 0]]}}, "looker": {"inputs": [[0.5, 0, 0]]}}

    def frame(saved):
        if rng.random() < 0.3:
            return spoilt(rng, saved)
        if rng.random() < 0.6:
            return json.dumps({str(rng.choice(["inputs", "text", "action", "other"])): wild(rng)})
        text = list(json.dumps(good["tagger"]))
        for position in rng.integers(0, len(text), size=rng.integers(1, 4)):
            text[position] = chr(rng.choice([34, 44, 91, 93, 123, 125, 48, 57, 0, 127, 0x20AC, 10]))
        return "".join(text)

    async def main(url):
        for model, chunk in good.items():
            async with connect(f"{url}/v1/{model}/stream", proxy=None) as socket:
                first = await ask(socket, chunk)
                saved = await ask(socket, {"action": "snapshot"})
                for _ in range(400):
                    answer = await ask(socket, frame(saved))
                    code = answer.get("code", "fine") if isinstance(answer, dict) else "bytes"
                    seen[code] = seen.get(code, 0) + 1
                assert await ask(socket, {"action": "reset"}) == {"steps": 0}
                assert await ask(socket, chunk) == first

    with live_server({"tagger": masked_path, "looker": write_cache(tmp_path / "looker")}) as live:
        asyncio.run(main(live.url.replace("http", "ws")))
    assert set(seen) <= {"invalid_input", "fine", "bytes"}
    assert seen["invalid_input"] > 600
