"""The relay between a real Postgres and a real Redis: every wish is carried, however Redis behaves."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest

from domain.errors import Unavailable
from messaging.celery_app import CONTROL_QUEUE, ORCHESTRATOR_QUEUE
from messaging.doorbell import Doorbell
from storage.database import Database
from storage.gauges import delivery_counts, outbox_depth
from storage.jobs import Jobs
from storage.keys import Keys
from storage.outbox import Outbox
from tests.support.jobs import new_job
from tests.support.redis import TestRedis
from workers.relay import Relay
from workers.sweep import Sweep

pytestmark = pytest.mark.integration


@pytest.fixture
async def doorbell(redis_server: TestRedis) -> AsyncIterator[Doorbell]:
    one = Doorbell(redis_server.url)
    yield one
    await one.close()


@pytest.fixture
async def relay(database: Database, doorbell: Doorbell) -> Relay:
    return Relay(Outbox(database), doorbell)


async def submit(database: Database, number: int = 1, webhook_url: str | None = None) -> list[str]:
    tenant = await Keys(database).ensure_tenant()
    jobs = [new_job(tenant, webhook_url=webhook_url) for _ in range(number)]
    for job in jobs:
        await Jobs(database).submit(job)
    return [job.id for job in jobs]


def rung(server: TestRedis) -> list[str]:
    """Ids of all messages in the orchestrators' queue, which are few here."""
    ids: list[str] = []
    for index in range(length(server, ORCHESTRATOR_QUEUE)):
        reply = server.command("LINDEX", ORCHESTRATOR_QUEUE, str(index))
        arguments, _, _ = json.loads(base64.b64decode(json.loads(reply.split(b"\r\n", 1)[1])["body"]))
        ids += arguments[0]
    return ids


def length(server: TestRedis, queue: str) -> int:
    return int(server.command("LLEN", queue).strip().removeprefix(b":"))


async def test_twenty_jobs_are_one_message(database: Database, relay: Relay, redis_server: TestRedis) -> None:
    jobs = await submit(database, 20)
    await relay.step()
    assert length(redis_server, ORCHESTRATOR_QUEUE) == 1
    assert sorted(rung(redis_server)) == sorted(jobs)
    assert await outbox_depth(database) == 0


async def test_jobs_that_come_one_after_the_other_are_rung_for_together_and_none_is_forgotten(
    database: Database, relay: Relay, redis_server: TestRedis
) -> None:
    jobs = []
    async with asyncio.timeout(10):
        for _ in range(20):
            jobs += await submit(database)
            await relay.step()
        while await outbox_depth(database):
            await relay.step()
    assert 1 < length(redis_server, ORCHESTRATOR_QUEUE) < 15
    assert sorted(rung(redis_server)) == sorted(jobs)


async def test_a_webhook_wakes_control(database: Database, relay: Relay, redis_server: TestRedis) -> None:
    (job,) = await submit(database, 1, "https://example.com/hook")
    tenant = await Keys(database).ensure_tenant()
    await Jobs(database).cancel(tenant, job)
    await relay.step()
    assert length(redis_server, CONTROL_QUEUE) == 1
    assert await delivery_counts(database) == {"pending": 1, "delivered": 0, "dead": 0}


async def test_it_wakes_at_once_when_something_is_posted(database: Database, relay: Relay) -> None:
    await relay.step()
    waiting = asyncio.create_task(relay.step())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await submit(database)
    await asyncio.wait_for(waiting, 0.7)


async def test_without_redis_the_wishes_stay(database: Database, relay: Relay, redis_server: TestRedis) -> None:
    jobs = await submit(database, 3)
    redis_server.stop()
    with pytest.raises(Unavailable):
        await relay.step()
    assert await outbox_depth(database) == 3
    redis_server.start()
    async with asyncio.timeout(5):
        while await outbox_depth(database):
            try:
                await relay.step()
            except Unavailable:
                await asyncio.sleep(0.1)
    assert set(rung(redis_server)) == set(jobs)


async def test_the_sweep_rings_again_after_a_flush(
    database: Database, relay: Relay, redis_server: TestRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = await submit(database, 5)
    await relay.step()
    redis_server.command("FLUSHALL")
    monkeypatch.setattr("workers.sweep.STALE_S", 0.0)
    monkeypatch.setattr("workers.relay.RING_S", 0.0)
    stop = asyncio.Event()
    stop.set()
    await Sweep(database, stop).step()
    await relay.step()
    assert sorted(rung(redis_server)) == sorted(jobs)
