"""The load generator, a program of its own: `python load.py ORDER RESULT`, both pickled dicts.

It keeps every answer and looks into them only once the clock has stopped, so that it takes little of the processors
that it shares with the server. The answers of one run are some hundred megabytes at most.
"""

import asyncio
import gc
import pickle
import random
import resource
import selectors
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a program, it is in no package

from serving_parts.processes import cpu_seconds, family


@dataclass
class Record:
    """What became of the requests, one entry each.

    Attributes:
        indices: Which request was sent.
        due: When it was meant to be sent; in a closed loop when it was.
        sent: When it was.
        done: When its answer was complete.
        statuses: HTTP status.
        bodies: Of the answers.
        broken: Connections that the server closed in mid-request.
    """

    indices: list[int] = field(default_factory=list)
    due: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    broken: int = 0


class Connection(asyncio.Protocol):
    """One kept-alive connection: sends a request, reads its answer by `Content-Length`, and says that it is free."""

    def __init__(self, record: Record, free):
        self._record, self._free = record, free
        self._received, self._body, self._size = b"", 0, None
        self._request: tuple[int, float, float] | None = None
        self.closing = False

    def connection_made(self, transport):
        self.transport = transport

    def send(self, index: int, request: bytes, due: float):
        self._request = (index, due, time.perf_counter())
        self.transport.write(request)

    def data_received(self, data: bytes):
        received = self._received = self._received + data if self._received else data
        if not self._body:
            head = received.find(b"\r\n\r\n")
            if head < 0:
                return
            self._body = head + 4
            self._size = _content_length(received[:head])
        if self._size is None:
            if not received.endswith(b"\r\n0\r\n\r\n"):
                return
        elif len(received) < self._body + self._size:
            return
        now, record = time.perf_counter(), self._record
        index, due, sent = self._request
        record.indices.append(index)
        record.due.append(due)
        record.sent.append(sent)
        record.done.append(now)
        record.statuses.append(int(received[9:12]))
        body = received[self._body :]
        record.bodies.append(_join_chunks(body) if self._size is None else body)
        self._received, self._body, self._request = b"", 0, None
        self._free(self)

    def connection_lost(self, error):
        if not self.closing:
            self._record.broken += 1


def _content_length(head: bytes) -> int | None:
    """Bytes of the body; None where it comes in chunks."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return None


def _join_chunks(body: bytes) -> bytes:
    """The body without the sizes of its chunks."""
    parts, position = [], 0
    while True:
        end = body.index(b"\r\n", position)
        size = int(body[position:end], 16)
        if not size:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        position = end + 2 + size + 2


async def _connect(order: dict, record: Record, count: int, free) -> list[Connection]:
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Connection(record, free), order["host"], order["port"])
        for _ in range(count)
    ]
    return [connection for _, connection in made]


def _draw(order: dict) -> list[int]:
    """In which order the requests are sent: each of them once in a while, the order by chance."""
    rng, count = random.Random(order["seed"]), len(order["requests"])
    return [index for _ in range(8) for index in rng.sample(range(count), count)]


async def closed_loop(order: dict, record: Record) -> tuple[float, float]:
    """`concurrency` connections, each of which sends its next request as soon as it has the answer to the last.

    Returns:
        When the measured time began and ended.
    """
    requests, turns, position, stopping = order["requests"], _draw(order), 0, False

    def free(connection: Connection):
        nonlocal position
        if not stopping:
            index = turns[position % len(turns)]
            position += 1
            connection.send(index, requests[index], time.perf_counter())

    connections = await _connect(order, record, order["concurrency"], free)
    for connection in connections:
        free(connection)
    window = await _measure(order)
    stopping = True
    await _finish(connections)
    return window


async def open_loop(order: dict, record: Record) -> tuple[float, float]:
    """Poisson arrivals at `rate` a second, whether or not earlier ones have been answered.

    Where all `connections` are busy, an arrival waits for one, and that time counts.

    Returns:
        When the measured time began and ended.
    """
    requests, turns, position = order["requests"], _draw(order), 0
    rng, loop = random.Random(order["seed"]), asyncio.get_running_loop()
    waiting: deque[tuple[int, float]] = deque()
    idle: list[Connection] = []
    stopping = False

    def free(connection: Connection):
        if waiting:
            index, due = waiting.popleft()
            connection.send(index, requests[index], due)
        else:
            idle.append(connection)

    connections = await _connect(order, record, order["connections"], free)
    idle.extend(connections)
    due = time.perf_counter()

    def arrive():
        nonlocal due, position
        while due <= time.perf_counter() and not stopping:
            waiting.append((turns[position % len(turns)], due))
            position += 1
            due += rng.expovariate(order["rate"])
            if idle:
                free(idle.pop())
        if not stopping:
            loop.call_later(max(0.0, due - time.perf_counter()), arrive)

    arrive()
    window = await _measure(order)
    stopping = True
    await _finish(connections)
    return window


async def _measure(order: dict) -> tuple[float, float]:
    """Lets the load run: `warm_seconds` that do not count, then `seconds` that do."""
    await asyncio.sleep(order["warm_seconds"])
    pids = family(order["server_pid"])
    order["server_cpu"], order["own_cpu"], start = cpu_seconds(pids), time.process_time(), time.perf_counter()
    await asyncio.sleep(order["seconds"])
    end = time.perf_counter()
    order["own_cpu"] = time.process_time() - order["own_cpu"]
    order["server_cpu"] = cpu_seconds(pids) - order["server_cpu"]
    return start, end


async def _finish(connections: list[Connection]):
    """Waits for the answers that are still out, ten seconds at most."""
    for _ in range(1000):
        if not any(connection._request for connection in connections):
            break
        await asyncio.sleep(0.01)
    for connection in connections:
        connection.closing = True
        connection.transport.close()


def main():
    order = pickle.loads(Path(sys.argv[1]).read_bytes())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4096, hard)), hard))
    record = Record()
    gc.disable()  # nothing here makes cycles
    if "concurrency" in order:
        import uvloop

        window = uvloop.run(closed_loop(order, record))
    else:
        # `select` alone takes a time-out in microseconds: `epoll`, and uvloop with it, would send in bursts, one a ms.
        loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
        window = loop.run_until_complete(open_loop(order, record))
        loop.close()
    figures = {"window": window, "own_cpu": order["own_cpu"], "server_cpu": order["server_cpu"], **vars(record)}
    Path(sys.argv[2]).write_bytes(pickle.dumps(figures))


if __name__ == "__main__":
    main()
