"""Servers as processes of their own: started, waited for, measured, stopped."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from serving_parts.processes import family, resident_mb

READY_SECONDS = 90.0


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A server process, from its start until `with` ends.

    Args:
        command: What to run; `{port}` in it stands for the port.
        ready_path: Answers GET with 200 once the server is ready.
        environment: Variables besides those of this process.

    Attributes:
        port: Where it listens.
        ready_seconds: From the start of the process until the first 200.
        ready_mb: Resident then.
    """

    def __init__(self, command: Sequence[str], ready_path: str, environment: dict[str, str] | None = None):
        self._command, self._ready_path, self._environment = list(command), ready_path, environment or {}

    def __enter__(self) -> Self:
        self.port = free_port()
        self._log = tempfile.NamedTemporaryFile(suffix=".log")
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [part.format(port=self.port) for part in self._command],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self._environment},
            start_new_session=True,  # an interrupt at the terminal is for the benchmark, which then stops the server
        )
        try:
            self._wait(start)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _wait(self, start: float):
        while not self._ready():
            if self._process.poll() is not None or time.perf_counter() - start > READY_SECONDS:
                raise SystemExit(f"The server did not get ready: {' '.join(self._command)}\n{self.log()}")
            time.sleep(0.005)
        self.ready_seconds = time.perf_counter() - start
        self.ready_mb = self.resident_mb()

    def _ready(self) -> bool:
        try:
            return self.get(self._ready_path)[0] == 200
        except OSError:  # nothing listens yet
            return False

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    @property
    def pid(self) -> int:
        """Of the process started; others may be below it."""
        return self._process.pid

    def resident_mb(self) -> float:
        """Of all processes together."""
        return resident_mb(family(self.pid))

    def log(self) -> str:
        """The end of what it has printed."""
        return Path(self._log.name).read_text(errors="replace")[-3000:]

    def __exit__(self, *exc_info):
        pids = family(self.pid)
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in pids[1:]:  # children that outlive their parent
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._log.close()


def python(*arguments: str) -> list[str]:
    """A command in this interpreter."""
    return [sys.executable, *arguments]
