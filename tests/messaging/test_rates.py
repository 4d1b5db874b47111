"""One rate for all processes, in Redis; and without Redis nobody is refused who keeps to it."""

from __future__ import annotations

import time

import pytest

from messaging.rates import Rates
from tests.support.redis import TestRedis

pytestmark = pytest.mark.integration


async def allowed(rates: list[Rates], number: int, limit: int, tenant: str = "ten_1") -> int:
    return sum([(await rates[index % len(rates)].spend(tenant, limit)).allowed for index in range(number)])


async def test_processes_share_one_rate(redis_url: str) -> None:
    processes = [Rates(redis_url) for _ in range(3)]
    assert await allowed(processes, 30, 10) == 10
    assert await allowed(processes, 5, 10, "ten_2") == 5, "each tenant has its own"
    standing = await processes[0].spend("ten_1", 10)
    assert (standing.allowed, standing.left) == (False, 0)
    assert 0 < standing.retry_in_s <= 6
    assert 50 < standing.renewed_in_s <= 60
    for one in processes:
        await one.close()


async def test_the_script_says_what_the_pure_rule_says(redis_url: str) -> None:
    rates = Rates(redis_url)
    standings = [await rates.spend("ten_1", 4) for _ in range(5)]
    assert [standing.allowed for standing in standings] == [True] * 4 + [False]
    assert [standing.left for standing in standings] == [3, 2, 1, 0, 0]
    assert [round(standing.renewed_in_s / 15) for standing in standings] == [1, 2, 3, 4, 4]
    assert round(standings[-1].retry_in_s) == 15
    await rates.close()


async def test_without_redis_each_process_counts_for_itself(redis_server: TestRedis) -> None:
    rates = Rates(redis_server.url)
    assert await allowed([rates], 3, 10) == 3
    redis_server.stop()
    assert await allowed([rates], 30, 10) == 10, "not refused at once, nor let through for ever"
    redis_server.start()
    rates._quiet_until = 0.0
    assert await allowed([rates], 30, 10) == 10, "Redis counts again"
    await rates.close()


async def test_a_hanging_redis_costs_one_request_a_moment(redis_server: TestRedis) -> None:
    rates = Rates(redis_server.url)
    await rates.spend("ten_1", 100)
    redis_server.freeze()
    started = time.monotonic()
    assert await allowed([rates], 50, 100) == 50
    assert time.monotonic() - started < 1.0
    redis_server.thaw()
    await rates.close()
