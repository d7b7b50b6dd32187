"""Puts requests of like length together into one call, while they wait for a processor anyway."""

import asyncio
import functools
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from keras_seq.serving.errors import DeadlineExceeded, Overloaded, Unavailable

Payload = TypeVar("Payload")
Answer = TypeVar("Answer")
_Lane = tuple[Hashable, int]  # a key, and a bucket of lengths


@dataclass(frozen=True)
class BatchStats:
    """What one call was like.

    Attributes:
        requests: Requests in it.
        rows: Their rows.
        tokens: Steps of the rows, without padding.
        padded_tokens: Steps with padding: rows times the longest.
        seconds: Time the call took.
        waited_seconds: Time the oldest of the requests had waited for it.
    """

    requests: int
    rows: int
    tokens: int
    padded_tokens: int
    seconds: float
    waited_seconds: float


def bucket(length: int) -> int:
    """The length up to which requests go together with one of `length`: a power of two, or halfway to the next.

    >>> [bucket(length) for length in (1, 2, 3, 4, 5, 7, 9, 13, 20, 100)]
    [1, 2, 3, 4, 6, 8, 12, 16, 24, 128]
    """
    power = 1 << (length - 1).bit_length()
    return power * 3 // 4 if length <= power * 3 // 4 else power


@dataclass(eq=False)
class _Entry(Generic[Payload]):
    """One request in the queue."""

    payload: Payload
    length: int
    rows: int
    tokens: int
    future: asyncio.Future
    since: float = field(default_factory=time.perf_counter)


class Batcher(Generic[Payload, Answer]):
    """A queue before something that takes many requests at a time.

    A call begins as soon as a worker is free. Requests that come while all are busy wait, and the next call takes the
    oldest of them and whatever else is in its bucket of lengths (and in the next ones, where padding costs less than a
    call of their own), up to a budget of padded tokens: under load calls grow by themselves, and a lone request waits
    for nobody, unless `max_wait_seconds` says so. As the oldest always leads, none is left behind.

    A request that fails does so alone: where a call of several fails, each is tried by itself. A caller that is
    cancelled, or whose time is over, gives its place in the queue away; a call that has begun is finished, and what
    nobody waits for any more is dropped.

    Everything but `run` happens in the event loop that `submit` is called from.

    Args:
        run: Called in a thread of `executor` with the payloads of a call; gives an answer for each, in order.
        executor: Where calls run.
        workers: Calls that may run at the same time.
        max_tokens: The most padded tokens (rows times the longest) of a call; a larger request gets one by itself.
        call_tokens: What a call costs whatever is in it, in tokens: neighbouring buckets share one as long as that adds
            less padding.
        max_wait_seconds: How long a request may wait for company while a worker is free.
        max_queue: The most requests that wait.
        max_queue_tokens: The most padded tokens that wait, which bounds memory; a request that finds the queue empty is
            always let in.
        observe: Called after each call with what it was like.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> async def main():
        ...     batcher = Batcher(lambda words: [word.upper() for word in words], executor=ThreadPoolExecutor(1))
        ...     texts = (batcher.submit(word, key="upper", length=len(word)) for word in ("so", "it", "goes"))
        ...     return await asyncio.gather(*texts)
        >>> asyncio.run(main())
        ['SO', 'IT', 'GOES']
    """

    def __init__(
        self,
        run: Callable[[Sequence[Payload]], Sequence[Answer]],
        *,
        executor: Executor,
        workers: int = 1,
        max_tokens: int = 2048,
        call_tokens: int = 24,
        max_wait_seconds: float = 0.0,
        max_queue: int = 512,
        max_queue_tokens: int = 262_144,
        observe: Callable[[BatchStats], Any] | None = None,
    ):
        self._run = run
        self._executor = executor
        self._workers = workers
        self._max_tokens = max_tokens
        self._call_tokens = call_tokens
        self._max_wait = max_wait_seconds
        self._max_queue = max_queue
        self._max_queue_tokens = max_queue_tokens
        self._observe = observe
        # Requests of one key and bucket, in the order they came; a dict, so that one can leave from the middle.
        self._lanes: dict[_Lane, dict[_Entry[Payload], None]] = {}
        self._queued = self._queued_tokens = self._running = 0
        self._seconds_per_token = 0.0  # of late, for the answer to those who are sent away
        self._closed = self._starting = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def queued(self) -> int:
        """Requests that wait."""
        return self._queued

    @property
    def running(self) -> int:
        """Calls that run now."""
        return self._running

    async def submit(
        self,
        payload: Payload,
        *,
        key: Hashable,
        length: int,
        rows: int = 1,
        tokens: int | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Wait for a request's answer.

        Args:
            payload: What `run` is given.
            key: Requests of one key may share a call.
            length: Steps of its longest row.
            rows: Its rows.
            tokens: Steps of its rows together; by default rows times length.
            timeout: Seconds it may take.

        Raises:
            Overloaded: If the queue is full.
            DeadlineExceeded: If the time is over.
            Unavailable: If the batcher is closed, or was while this request waited.
            Exception: What `run` raises for this payload alone.
        """
        self._admit(rows * length)
        loop = asyncio.get_running_loop()
        entry = _Entry(payload, length, rows, rows * length if tokens is None else tokens, loop.create_future())
        lane = (key, bucket(length))
        self._lanes.setdefault(lane, {})[entry] = None
        self._queued += 1
        self._queued_tokens += rows * length
        self._idle.clear()
        deadline = None if timeout is None else loop.call_later(timeout, _expire, entry.future, timeout)
        self._start_soon()
        try:
            return await entry.future
        finally:
            if deadline is not None:
                deadline.cancel()
            if entry in self._lanes.get(lane, ()):  # cancelled, or too late
                self._leave(lane, entry)
            self._settle()

    async def close(self, drain_seconds: float = 30.0):
        """Refuse further requests and wait for those that are here.

        Args:
            drain_seconds: How long to wait; those that still wait in the queue then are refused.
        """
        self._closed = True
        self._start_calls()  # nobody is worth waiting for now
        try:
            async with asyncio.timeout(drain_seconds):
                await self._idle.wait()
        except TimeoutError:
            for entries in list(self._lanes.values()):
                for entry in entries:
                    _fail(entry.future, Unavailable("The request was still waiting when the model was taken away."))
            await asyncio.sleep(0)  # lets them leave the queue

    def _admit(self, padded_tokens: int):
        """Refuse a request for which there is no room."""
        if self._closed:
            raise Unavailable("The model is being taken away, and takes no more requests. Try again.")
        full = self._queued_tokens + padded_tokens > self._max_queue_tokens and self._queued
        if self._queued >= self._max_queue or full:
            seconds = max(0.1, self._queued_tokens * self._seconds_per_token / self._workers)
            raise Overloaded(
                f"{self._queued} requests ({self._queued_tokens} tokens) wait already, which is all that may "
                f"({self._max_queue} requests, {self._max_queue_tokens} tokens). Try again in {seconds:.1f} seconds.",
                seconds,
            )

    def _start_soon(self):
        """Start calls once all that is ready in this turn of the loop has been let in: it is company at no cost."""
        if not self._starting and self._running < self._workers:
            self._starting = True
            asyncio.get_running_loop().call_soon(self._start_calls)

    def _start_calls(self):
        """Start what may start now, and set the clock for what may soon."""
        self._starting = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._lanes and self._running < self._workers:
            now = time.perf_counter()
            lane, wait = self._next_lane(now)
            if wait > 0:
                self._timer = asyncio.get_running_loop().call_later(wait, self._start_calls)
                return
            entries = self._take(lane)
            if entries:
                self._start(entries, now)

    def _next_lane(self, now: float) -> tuple[_Lane, float]:
        """The lane whose oldest request has waited longest of those that need wait no more, and seconds until then."""
        best: tuple[float, float, _Lane] | None = None
        for lane, entries in self._lanes.items():
            since = next(iter(entries)).since
            wait = 0.0 if self._closed else max(0.0, since + self._max_wait - now)
            if wait and sum(entry.rows for entry in entries) * lane[1] >= self._max_tokens:
                wait = 0.0  # as large as it may be
            if best is None or (wait, since) < best[:2]:
                best = wait, since, lane
        return best[2], best[0]

    def _take(self, lane: _Lane) -> list[_Entry[Payload]]:
        """The requests of the next call, out of the queue: the oldest of the lane, and those that fit beside it."""
        taken: list[_Entry[Payload]] = []
        rows = longest = 0
        for near in self._near(lane):
            for entry in list(self._lanes[near]):
                if entry.future.done():  # its time is over
                    self._leave(near, entry)
                    continue
                together = (rows + entry.rows) * max(longest, entry.length)
                if taken and together > self._max_tokens:
                    return taken
                rows, longest = rows + entry.rows, max(longest, entry.length)
                taken.append(entry)
                self._leave(near, entry)
        return taken

    def _near(self, lane: _Lane) -> list[_Lane]:
        """A lane, and its neighbours as far as padding costs less than a call of their own would."""
        key, top = lane
        rows = {length: sum(entry.rows for entry in self._lanes[key, length]) for k, length in self._lanes if k == key}
        near, together = [lane], rows[top]
        for shorter in sorted((length for length in rows if length < top), reverse=True):
            if rows[shorter] * (top - shorter) > self._call_tokens:
                break
            near.append((key, shorter))
            together += rows[shorter]
        for longer in sorted(length for length in rows if length > lane[1]):
            if together * (longer - top) > self._call_tokens:
                break
            near.append((key, longer))
            together, top = together + rows[longer], longer
        return near

    def _leave(self, lane: _Lane, entry: _Entry[Payload]):
        entries = self._lanes[lane]
        del entries[entry]
        if not entries:
            del self._lanes[lane]
        self._queued -= 1
        self._queued_tokens -= entry.rows * entry.length

    def _start(self, entries: list[_Entry[Payload]], now: float):
        try:
            call = asyncio.get_running_loop().run_in_executor(self._executor, self._call, entries)
        except RuntimeError:  # the executor has been shut down
            for entry in entries:
                _fail(entry.future, Unavailable("The server is shutting down."))
            return
        self._running += 1
        call.add_done_callback(functools.partial(self._finish, entries, now))

    def _call(self, entries: Sequence[_Entry[Payload]]) -> list[tuple[Answer | None, Exception | None]]:
        """Run a call, in a worker's thread; if it fails, each request alone."""
        try:
            answers = self._run([entry.payload for entry in entries])
            return [(answer, None) for _, answer in zip(entries, answers, strict=True)]
        except Exception as error:  # noqa: BLE001 - raised again where the caller waits
            if len(entries) == 1:
                return [(None, error)]
        return [self._call([entry])[0] for entry in entries]

    def _finish(self, entries: Sequence[_Entry[Payload]], started: float, call: asyncio.Future):
        """Give everybody its answer, back in the event loop."""
        self._running -= 1
        self._start_calls()  # the worker first: answers can be written while it computes
        if call.cancelled():
            outcomes = [(None, Unavailable("The server is shutting down."))] * len(entries)
        else:
            outcomes = call.result()
        for entry, (answer, error) in zip(entries, outcomes, strict=True):
            if error is not None:
                _fail(entry.future, error)
            elif not entry.future.done():
                entry.future.set_result(answer)
        self._note(entries, started)
        self._settle()

    def _note(self, entries: Sequence[_Entry[Payload]], started: float):
        seconds = time.perf_counter() - started
        rows = sum(entry.rows for entry in entries)
        padded = rows * max(entry.length for entry in entries)
        self._seconds_per_token += 0.1 * (seconds / padded - self._seconds_per_token)
        if self._observe is not None:
            tokens = sum(entry.tokens for entry in entries)
            self._observe(BatchStats(len(entries), rows, tokens, padded, seconds, started - entries[0].since))

    def _settle(self):
        if not self._running and not self._queued:
            self._idle.set()


def _expire(future: asyncio.Future, timeout: float):
    _fail(future, DeadlineExceeded(f"There was no answer within {timeout:g} seconds. Send less, or allow more time."))


def _fail(future: asyncio.Future, error: BaseException):
    if not future.done():
        future.set_exception(error)
