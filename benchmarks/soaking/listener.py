"""A visitor over a WebSocket: a sequence in chunks, answers compared with those of a stream here."""

import asyncio
import json
import random
from collections.abc import Sequence

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from soaking.client import PATIENCE_SECONDS
from soaking.oracle import Oracle, differences
from soaking.tally import Tally

_INTERLUDES = {"go on": 12, "save": 2, "restore": 2, "reset": 1, "nonsense": 1, "leave": 1}
_TRY_LATER = (1001, 1008, 1013)  # the server drains, the model is not there, there are too many


class Listener:
    """One of many that hold a stream.

    Args:
        port: Of the server.
        oracles: The models; those with a step are asked.
        tally: Where results go.
        rng: Decides everything.
        tolerance: Of floats, between an answer in company and alone.
    """

    def __init__(self, port: int, oracles: Sequence[Oracle], tally: Tally, rng: random.Random, tolerance: float):
        self._port, self._tally, self._rng, self._tolerance = port, tally, rng, tolerance
        self._oracles = [oracle for oracle in oracles if oracle.stream is not None]

    async def visit(self):
        """One stream, from its first chunk to its last, or to where it is left."""
        oracle = self._rng.choice(self._oracles)
        asked = False
        try:
            async with connect(f"ws://127.0.0.1:{self._port}/v1/{oracle.name}/stream", proxy=None) as socket:
                stream, saved = oracle.stream.new(), None
                for chunk in oracle.draw_chunks(self._rng):
                    asked = True
                    if not await self._feed(socket, oracle, stream, chunk):
                        return
                    what = self._rng.choices(list(_INTERLUDES), list(_INTERLUDES.values()))[0]
                    if what == "leave":
                        socket.transport.abort()
                        self._tally.aborted["stream"] += 1
                        return
                    saved = await self._interlude(what, socket, oracle, stream, saved)
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd is not None else None
            if code in _TRY_LATER:
                self._tally.sent_away["stream"] += 1
            else:
                self._tally.note_lost(f"stream, {oracle.name}: {error}")
        except (TimeoutError, OSError) as error:
            note = self._tally.note_lost if asked else self._tally.note_wrong
            note(f"stream, {oracle.name}: {type(error).__name__} {error}")

    def close(self):
        """Leave for good: nothing is open between two visits."""

    async def _feed(self, socket: ClientConnection, oracle: Oracle, stream, chunk: dict[str, np.ndarray]) -> bool:
        """Feeds a chunk here and there; whether the stream can go on."""
        inputs = {name: value[0].tolist() for name, value in chunk.items()}
        answer = await _ask(socket, json.dumps({"inputs": inputs}))
        if "code" in answer:
            if answer["code"] in ("overloaded", "unavailable", "deadline_exceeded"):
                self._tally.sent_away["chunk"] += 1
            else:
                self._tally.note_wrong(f"chunk, {oracle.name}: {answer}")
            return False
        expected = {name: value[0] for name, value in stream.feed(chunk).items()}
        wrong = differences(answer["outputs"], expected, self._tolerance)
        if wrong or answer["steps"] != stream.steps:
            self._tally.note_wrong(f"chunk, {oracle.name}: {wrong or answer['steps']}")
            return False
        self._tally.right["chunk"] += 1
        return True

    async def _interlude(self, what: str, socket: ClientConnection, oracle: Oracle, stream, saved: bytes | None):
        """What happens between two chunks; gives the snapshot there is."""
        if what == "save":
            saved = await _ask(socket, json.dumps({"action": "snapshot"}))
            self._check(oracle, isinstance(saved, bytes), f"snapshot: {saved!r:.200}")
        elif what == "restore" and isinstance(saved, bytes):
            stream.restore(saved)
            self._check(oracle, await _ask(socket, saved) == {"steps": stream.steps}, "restore")
        elif what == "reset":
            stream.reset()
            self._check(oracle, await _ask(socket, json.dumps({"action": "reset"})) == {"steps": 0}, "reset")
        elif what == "nonsense":
            answer = await _ask(socket, self._rng.choice(["{", '{"inputs": 5}', '{"action": "dance"}', b"\x00" * 99]))
            self._check(oracle, "error" in answer and "code" in answer, f"nonsense: {answer!r:.200}")
        return saved

    def _check(self, oracle: Oracle, right: bool, what: str):
        if right:
            self._tally.right["frame"] += 1
        else:
            self._tally.note_wrong(f"frame, {oracle.name}: {what}")


async def _ask(socket: ClientConnection, frame: str | bytes) -> dict | bytes:
    await socket.send(frame)
    answer = await asyncio.wait_for(socket.recv(), PATIENCE_SECONDS)
    return answer if isinstance(answer, bytes) else json.loads(answer)
