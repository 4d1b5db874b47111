"""Signs of life in a real Redis."""

import pytest

from domain.errors import Unavailable
from messaging.presence import LIFETIME_S, Presence
from tests.support.redis import TestRedis

pytestmark = pytest.mark.integration


async def test_who_announced_is_there_for_a_while(redis_server: TestRedis) -> None:
    presence = Presence(redis_server.url)
    assert await presence.alive() == frozenset()
    await presence.announce("control", "engines")
    assert await presence.alive() == {"control", "engines"}
    left = int(redis_server.command("TTL", "deliberate:alive:control").strip().removeprefix(b":"))
    assert 0 < left <= LIFETIME_S
    await presence.close()


async def test_without_redis_nothing_is_claimed(redis_server: TestRedis) -> None:
    presence = Presence(redis_server.url)
    redis_server.stop()
    with pytest.raises(Unavailable):
        await presence.alive()
    with pytest.raises(Unavailable):
        await presence.announce("control")
    await presence.close()
