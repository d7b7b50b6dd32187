"""A soak: many visitors at once, and somebody who reloads and unloads models meanwhile."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence

from soaking.client import Client, Lost
from soaking.listener import Listener
from soaking.oracle import Oracle
from soaking.tally import Tally
from soaking.visitor import Visitor

TOLERANCE = 1e-6


async def soak(
    port: int,
    oracles: Sequence[Oracle],
    *,
    seed: int,
    visitors: int,
    listeners: int,
    seconds: float | None = None,
    visits: int | None = None,
    pause_seconds: float = 1.0,
    memory: Callable[[], float] | None = None,
) -> Tally:
    """Visits a server.

    Args:
        port: Of the server, at 127.0.0.1.
        oracles: The models that it has.
        seed: Decides what is asked; what meets what is left to chance.
        visitors: Over HTTP, at the same time.
        listeners: Over WebSockets, at the same time.
        seconds: How long; None where `visits` says it.
        visits: How many visits each of them makes; None where `seconds` says it.
        pause_seconds: Between two loads of models.
        memory: Tells the server's memory in megabytes; asked once a second.

    Returns:
        What came of it.
    """
    tally, seeds = Tally(), random.Random(seed)
    start, stop = time.monotonic(), asyncio.Event()

    async def go_on(guest):
        made = 0
        while not stop.is_set() and (visits is None or made < visits):
            await guest.visit()
            made += 1
        guest.close()

    async def watch():
        while not stop.is_set():
            tally.samples.append((time.monotonic() - start, memory()))
            await asyncio.sleep(1)

    def guest(kind, index):
        return kind(port, oracles, tally, random.Random(seeds.getrandbits(64) + index), TOLERANCE)

    guests = [guest(Visitor, i) for i in range(visitors)] + [guest(Listener, i) for i in range(listeners)]
    async with asyncio.TaskGroup() as group:
        besides = [group.create_task(_operate(port, oracles, tally, random.Random(seed), pause_seconds, stop))]
        if memory is not None:
            besides.append(group.create_task(watch()))
        tasks = [group.create_task(go_on(guest)) for guest in guests]
        if seconds is not None:
            await asyncio.sleep(seconds)
            stop.set()
        await asyncio.gather(*tasks)
        stop.set()
    return tally


async def _operate(
    port: int, oracles: Sequence[Oracle], tally: Tally, rng: random.Random, pause_seconds: float, stop: asyncio.Event
):
    """Loads models anew, and takes those away for a while that may come and go."""
    client = Client(port)
    while not stop.is_set():
        oracle = rng.choice(oracles)
        path = f"/v2/repository/models/{oracle.name}"
        try:
            if oracle.comes_and_goes:
                await _order(client, f"{path}/unload", tally)
                await asyncio.sleep(pause_seconds * rng.random())
            await _order(client, f"{path}/load", tally)
        except Lost as error:
            tally.note_lost(f"load: {error}")
        await asyncio.sleep(pause_seconds * rng.random())
    client.leave()


async def _order(client: Client, path: str, tally: Tally):
    answer = await client.ask(path, {})
    if answer.status == 200:
        tally.right["load"] += 1
    else:
        tally.note_wrong(f"{path}: {answer.status} {answer.body[:300]!r}")
