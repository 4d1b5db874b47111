"""Rate limits that hold across all API processes: one number a tenant, in Redis.

Law: Redis away never refuses anybody. Each process then counts for itself, so that a tenant gets at most its limit
times the number of processes, and asks Redis again after a pause; a hanging Redis costs one request a fraction of a
second.
"""

from __future__ import annotations

import asyncio
import logging
import time

from redis.exceptions import RedisError

from domain.pacing import WINDOW_S, Standing, pace
from messaging.outage import Outage
from messaging.redis_url import connect

PATIENCE_S = 0.25
QUIET_S = 5.0
"""After a failure, processes count for themselves for this long."""
MOST_LOCAL = 10_000

# The rule of `domain.pacing` on the server's clock, in microseconds. A test holds the two equal.
_PACE = """
local now = redis.call('TIME')
local now_us = now[1] * 1000000 + now[2]
local window_us, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local due_us = tonumber(redis.call('GET', KEYS[1]) or now_us)
local after_us = math.max(due_us, now_us) + window_us / limit
if after_us - now_us > window_us + 1 then
    return {0, string.format('%.0f', due_us - now_us)}
end
redis.call('SET', KEYS[1], string.format('%.0f', after_us), 'PX', math.ceil((after_us - now_us) / 1000) + 1000)
return {1, string.format('%.0f', after_us - now_us)}
"""

logger = logging.getLogger("deliberate.rates")


class Rates:
    def __init__(self, redis_url: str) -> None:
        self._redis = connect(redis_url)
        self._script = self._redis.register_script(_PACE)
        self._outage = Outage(logger, "counting requests in Redis")
        self._quiet_until = 0.0
        self._due_s: dict[str, float] = {}
        """Of this process alone, without Redis."""

    async def spend(self, tenant: str, limit: int) -> Standing:
        """Count one request against `limit` a minute. Never raises."""
        if time.monotonic() >= self._quiet_until:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    allowed, ahead_us = await self._script(keys=[_key(tenant)], args=[int(WINDOW_S * 1e6), limit])
            except (RedisError, OSError, TimeoutError) as error:
                self._quiet_until = time.monotonic() + QUIET_S
                self._outage.failed(error)
            else:
                self._outage.worked()
                self._due_s.clear()
                return _standing(bool(allowed), int(ahead_us) / 1e6, limit)
        return self._spend_here(tenant, limit)

    async def close(self) -> None:
        await self._redis.aclose()

    def _spend_here(self, tenant: str, limit: int) -> Standing:
        if len(self._due_s) >= MOST_LOCAL:
            self._due_s.clear()
        self._due_s[tenant], standing = pace(self._due_s.get(tenant, 0.0), time.monotonic(), limit)
        return standing


def _standing(allowed: bool, ahead_s: float, limit: int) -> Standing:
    """`ahead_s`: by how much the caller is ahead of its rate, this request included when it was allowed."""
    interval_s = WINDOW_S / limit
    if not allowed:
        return Standing(False, 0, ahead_s, max(0.001, ahead_s + interval_s - WINDOW_S))
    return Standing(True, max(0, int((WINDOW_S - ahead_s) / interval_s + 1e-3)), ahead_s, 0.0)


def _key(tenant: str) -> str:
    return f"deliberate:rate:{tenant}"
