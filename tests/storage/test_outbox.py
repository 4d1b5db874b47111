"""A row leaves the outbox only after it was published; the relay is woken by Postgres itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from domain.errors import Unavailable
from domain.ids import TenantId
from storage.database import Database
from storage.jobs import Jobs
from storage.outbox import Outbox, OutboxRow
from tests.support.jobs import new_job, run_sql, scalar

pytestmark = pytest.mark.integration


class Redis:
    """Takes what is published; may be down, and may be flushed."""

    def __init__(self) -> None:
        self.rows: list[OutboxRow] = []
        self.down = False

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        if self.down:
            raise ConnectionError("redis is down")
        self.rows.extend(rows)


async def test_rows_are_published_in_order_and_then_gone(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    ids = [(await jobs.submit(new_job(tenant)))[0].id for _ in range(5)]
    redis, outbox = Redis(), Outbox(database)
    assert await outbox.relay(redis.publish, limit=3) == 3
    assert await outbox.relay(redis.publish) == 2
    assert await outbox.relay(redis.publish) == 0
    assert [(row.topic, row.key) for row in redis.rows] == [("job.queued", job) for job in ids]


async def test_rows_survive_a_publish_that_fails(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    await jobs.submit(new_job(tenant))
    redis, outbox = Redis(), Outbox(database)
    redis.down = True
    for _ in range(3):
        with pytest.raises(ConnectionError):
            await outbox.relay(redis.publish)
    assert await scalar(database, "SELECT count(*) FROM outbox") == 1
    redis.down = False
    assert await outbox.relay(redis.publish) == 1


async def test_a_flushed_redis_is_rung_again(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    ids = {(await jobs.submit(new_job(tenant)))[0].id for _ in range(3)}
    redis, outbox = Redis(), Outbox(database)
    await outbox.relay(redis.publish)
    redis.rows.clear()
    await run_sql(database, "UPDATE jobs SET queued_at = queued_at - interval '1 min'")
    assert await jobs.ring_stale(10) == 3
    await outbox.relay(redis.publish)
    assert {row.key for row in redis.rows} == ids


async def test_two_relays_share_the_rows_out(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    for _ in range(4):
        await jobs.submit(new_job(tenant))
    outbox, seen = Outbox(database), list[int]()
    first_is_publishing, second_is_done = asyncio.Event(), asyncio.Event()

    async def slow(rows: Sequence[OutboxRow]) -> None:
        seen.extend(row.id for row in rows)
        first_is_publishing.set()
        await asyncio.wait_for(second_is_done.wait(), 10)

    first = asyncio.create_task(outbox.relay(slow, limit=2))
    await asyncio.wait_for(first_is_publishing.wait(), 10)
    redis = Redis()
    assert await outbox.relay(redis.publish) == 2
    second_is_done.set()
    assert await first == 2
    assert len({*seen, *(row.id for row in redis.rows)}) == 4


async def test_a_submit_wakes_the_relay(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    outbox = Outbox(database)
    await outbox.wait(5)  # listens from here on
    began = time.monotonic()
    waiting = asyncio.create_task(outbox.wait(20))
    await asyncio.sleep(0.05)
    await jobs.submit(new_job(tenant))
    await waiting
    assert time.monotonic() - began < 10


async def test_what_is_posted_between_two_waits_is_heard(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    outbox = Outbox(database)
    await outbox.wait(5)
    await jobs.submit(new_job(tenant))
    began = time.monotonic()
    await outbox.wait(20)
    assert time.monotonic() - began < 10


async def test_a_wait_ends_by_itself(database: Database) -> None:
    outbox = Outbox(database)
    await outbox.wait(5)
    began = time.monotonic()
    await outbox.wait(0.2)
    assert 0.15 < time.monotonic() - began < 10


async def test_a_lost_listener_says_so_and_comes_back(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    outbox = Outbox(database)
    await outbox.wait(5)
    await run_sql(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database() AND query LIKE 'LISTEN%'",
    )
    with pytest.raises(Unavailable):
        await outbox.wait(10)
    await outbox.wait(5)
    waiting = asyncio.create_task(outbox.wait(20))
    await jobs.submit(new_job(tenant))
    began = time.monotonic()
    await waiting
    assert time.monotonic() - began < 10
