"""One setting, two dialects: redis-py says `unix:///path`, kombu says `redis+socket:///path`; TCP is the same."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

TIMEOUT_S = 1.0
"""Longest wait for one answer of Redis. Everything that Redis does here is small, so that a slow answer is a hang."""


def broker_url(redis_url: str) -> str:
    """The URL as kombu reads it."""
    scheme, separator, rest = redis_url.partition("://")
    return f"redis+socket{separator}{rest}" if scheme == "unix" else redis_url


def connect(redis_url: str, **options: Any) -> Redis:
    """A lazy client whose calls end within about two timeouts (one retry, since a restart makes connections stale)."""
    scheme, separator, rest = redis_url.partition("://")
    url = f"unix{separator}{rest}" if scheme == "redis+socket" else redis_url
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
        decode_responses=True,
        **options,
    )
