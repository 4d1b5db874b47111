"""Which parts of the service are there: each says so in Redis every few seconds, under a key that dies without it.

Only `/readyz` and `doctor` read this. Nothing depends on it: work is handed out by leases in Postgres.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from redis.exceptions import RedisError

from domain.errors import Unavailable
from messaging.redis_url import TIMEOUT_S, connect

PARTS = ("control", "orchestrator", "engines")
LIFETIME_S = 10

Result = TypeVar("Result")


class Presence:
    def __init__(self, redis_url: str) -> None:
        self._redis = connect(redis_url)

    async def announce(self, *parts: str) -> None:
        """These parts are there for the next `LIFETIME_S` seconds. Raises Unavailable."""
        await self._call(self._announce(parts))

    async def alive(self) -> frozenset[str]:
        """Those of `PARTS` that said so lately. Raises Unavailable when Redis can't be asked."""
        values = await self._call(self._redis.mget([_key(part) for part in PARTS]))
        return frozenset(part for part, value in zip(PARTS, values, strict=True) if value is not None)

    async def close(self) -> None:
        await self._redis.aclose()

    async def _announce(self, parts: Iterable[str]) -> None:
        for part in parts:
            await self._redis.set(_key(part), "1", ex=LIFETIME_S)

    async def _call(self, call: Awaitable[Result]) -> Result:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await call
        except (RedisError, OSError, TimeoutError):
            raise Unavailable("Redis does not answer: is it running?") from None


def _key(part: str) -> str:
    return f"deliberate:alive:{part}"
