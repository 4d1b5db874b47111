"""The embedded Redis: a doorbell and live progress. Nothing that matters is in it, so nothing of it is kept on disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cli.stack.child import Child
from cli.stack.ports import LOOPBACK, free_block
from cli.stack.secrets import password, write_private
from cli.stack.wheels import redis_server

NAME = "redis"
CONFIGURATION = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir {folder}
daemonize no
save ""
appendonly no
maxmemory 256mb
maxmemory-policy noeviction
"""


class EmbeddedRedis:
    def __init__(self, home: Path) -> None:
        self._folder = home / "redis"
        self._file = home / "run" / "redis.conf"
        # New at every start: it lives as long as the server.
        self._password = password()
        self._port = free_block(1)[0]
        self._program = redis_server()

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@{LOOPBACK}:{self._port}/0"

    async def prepare(self) -> None:
        self._folder.mkdir(exist_ok=True)
        values = {"host": LOOPBACK, "port": self._port, "password": self._password, "folder": self._folder}
        write_private(self._file, CONFIGURATION.format(**values))

    def child(self) -> Child:
        return Child(NAME, (str(self._program), str(self._file)), ready=self._ready, stop_within_s=2.0)

    async def _ready(self, _: float) -> bool:
        """It answers PING to our password. Spoken by hand: a client library would cost more than the rest."""
        try:
            async with asyncio.timeout(2.0):
                reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
                writer.write(f"AUTH {self._password}\r\nPING\r\n".encode())
                answers = [await reader.readline(), await reader.readline()]
                writer.close()
        except (OSError, TimeoutError):
            return False
        return answers == [b"+OK\r\n", b"+PONG\r\n"]
