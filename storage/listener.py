"""One connection outside the pool that hears `NOTIFY deliberate_outbox`.

A notification is a hint to look at the outbox now; who misses it looks a moment later anyway.
"""

from __future__ import annotations

import asyncio

import psycopg
from sqlalchemy import URL

from domain.errors import Unavailable

CHANNEL = "deliberate_outbox"


class Listener:
    """Connects at the first wait; a broken connection is dropped and made anew at the next wait."""

    def __init__(self, url: URL) -> None:
        self._arguments = url.translate_connect_args(database="dbname", username="user") | dict(url.query)
        self._connection: psycopg.AsyncConnection | None = None
        self._one_at_a_time = asyncio.Lock()

    async def wait(self, timeout_s: float) -> bool:
        """Whether there was a notification within `timeout_s`. Raises Unavailable when the connection is lost.

        The first wait after a (re)connection returns True at once: something may have been posted before.
        """
        async with self._one_at_a_time:
            try:
                return await self._wait(timeout_s)
            except (psycopg.Error, OSError) as error:
                await self._drop()
                raise Unavailable("the database connection that hears of new jobs was lost: it is made anew") from error

    async def _wait(self, timeout_s: float) -> bool:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(autocommit=True, **self._arguments)
            await self._connection.execute(f"LISTEN {CHANNEL}")
            return True
        heard = False
        async for _ in self._connection.notifies(timeout=timeout_s, stop_after=1):
            heard = True
        return heard

    async def close(self) -> None:
        async with self._one_at_a_time:
            await self._drop()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
