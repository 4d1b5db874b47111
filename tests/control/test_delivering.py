"""Deliveries against a real Postgres and a real receiver: sent, retried by the policy, dead, replayed, never lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
from sqlalchemy import text
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from messaging.webhooks import WebhookSender
from storage.database import Database
from storage.deliveries import Deliveries, DeliveryRecord
from storage.endpoints import Endpoint, Endpoints
from storage.jobs import Jobs
from storage.keys import Keys
from storage.tenant_secret import TenantSecret
from tests.support.jobs import new_job, run_sql
from tests.support.receiver import Receiver
from workers.delivering import AT_ONCE, DeliveryLoop

pytestmark = pytest.mark.integration

LOOPBACK = (ip_network("127.0.0.0/8"),)


class Bench:
    """One tenant, its jobs with webhooks, and a running delivery loop."""

    def __init__(self, database: Database, receiver: Receiver) -> None:
        self.database = database
        self.receiver = receiver
        self.deliveries = Deliveries(database)
        self.loop = DeliveryLoop(self.deliveries, WebhookSender(LOOPBACK, timeout_s=1.0))

    async def ended_job(self) -> str:
        self.tenant = await Keys(self.database).ensure_tenant()
        job = new_job(self.tenant, webhook_url=self.receiver.url)
        await Jobs(self.database).submit(job)
        await Jobs(self.database).cancel(self.tenant, job.id)
        self.loop.wake()
        return job.id

    async def delivery(self, job_id: str) -> DeliveryRecord:
        (record,) = await self.deliveries.for_job(self.tenant, job_id)
        return record

    async def recorded(self, job_id: str, attempts: int = 1) -> DeliveryRecord:
        async with asyncio.timeout(10):
            while (record := await self.delivery(job_id)).attempts < attempts:
                await asyncio.sleep(0.02)
        return record

    async def make_due(self) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(
                text("UPDATE webhook_deliveries SET next_attempt_at = now() WHERE state='pending'")
            )
        self.loop.wake()


@contextlib.asynccontextmanager
async def stepping(one: Bench) -> AsyncIterator[None]:
    """Its loop turns."""

    async def run() -> None:
        while True:
            await one.loop.step()

    running = asyncio.create_task(run())
    yield
    running.cancel()
    await asyncio.wait({running})
    await one.loop.finish(2)


@pytest.fixture
async def bench(database: Database, receiver: Receiver) -> AsyncIterator[Bench]:
    one = Bench(database, receiver)
    async with stepping(one):
        yield one


async def test_a_webhook_arrives_signed(bench: Bench) -> None:
    job = await bench.ended_job()
    (got,) = await bench.receiver.count(1)
    secret = await TenantSecret(bench.database).read(bench.tenant)
    event = Webhook(secret).verify(got.body, got.headers)
    assert event["type"] == "job.cancelled"
    assert event["data"]["id"] == job
    record = await bench.recorded(job)
    assert (record.state, record.last_status_code, record.last_error) == ("delivered", 200, None)
    assert got.headers["webhook-id"] == record.id


async def test_a_tenants_old_secret_signs_beside_the_new_one_for_as_long_as_it_was_told(
    bench: Bench, database: Database
) -> None:
    secret = TenantSecret(database)
    await bench.ended_job()
    old = await secret.read(bench.tenant)
    new, _ = await secret.rotate(bench.tenant, "key_1", overlap=True)
    await bench.ended_job()
    got = (await bench.receiver.count(2))[1]
    for one in (old, new):
        Webhook(one).verify(got.body, got.headers)
    newest, _ = await secret.rotate(bench.tenant, "key_1", overlap=False)
    await bench.ended_job()
    later = (await bench.receiver.count(3))[2]
    Webhook(newest).verify(later.body, later.headers)
    for one in (old, new):
        with pytest.raises(WebhookVerificationError):
            Webhook(one).verify(later.body, later.headers)


async def test_a_failure_is_tried_again_with_the_same_id_and_body(bench: Bench) -> None:
    bench.receiver.answer = b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n"
    job = await bench.ended_job()
    record = await bench.recorded(job)
    assert (record.state, record.last_status_code) == ("pending", 500)
    assert record.next_attempt_at is not None
    assert 3 < (record.next_attempt_at - datetime.now(UTC)).total_seconds() < 6
    bench.receiver.answer = b"HTTP/1.1 204 X\r\n\r\n"
    await bench.make_due()
    first, second = await bench.receiver.count(2)
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert (await bench.recorded(job, 2)).state == "delivered"


async def test_gone_is_dead_visible_and_can_be_replayed(bench: Bench) -> None:
    bench.receiver.answer = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"
    job = await bench.ended_job()
    record = await bench.recorded(job)
    assert record.state == "dead"
    assert record.last_error == "the receiver answered 410; given up: the receiver answered 410 Gone"
    bench.receiver.answer = b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n"
    await bench.deliveries.replay(bench.tenant, record.id)
    bench.loop.wake()
    await bench.receiver.count(2)
    async with asyncio.timeout(5):
        while (await bench.delivery(job)).state != "delivered":
            await asyncio.sleep(0.02)


async def test_the_retry_after_of_the_receiver_is_kept(bench: Bench) -> None:
    bench.receiver.answer = b"HTTP/1.1 429 X\r\nretry-after: 1000\r\ncontent-length: 0\r\n\r\n"
    record = await bench.recorded(await bench.ended_job())
    assert record.next_attempt_at is not None
    assert 990 < (record.next_attempt_at - datetime.now(UTC)).total_seconds() <= 1000


async def test_many_are_sent_at_once_and_one_slow_receiver_does_not_stop_them(bench: Bench) -> None:
    bench.receiver.answer = None
    slow = await bench.ended_job()
    await bench.receiver.count(1)
    bench.receiver.answer = b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n"
    jobs = [await bench.ended_job() for _ in range(AT_ONCE + 5)]
    for job in jobs:
        assert (await bench.recorded(job)).state == "delivered"
    assert (await bench.recorded(slow)).last_error == "no answer within 1 s"


async def test_what_a_dead_sender_had_claimed_is_sent_when_its_lease_is_over(
    database: Database, receiver: Receiver
) -> None:
    bench = Bench(database, receiver)
    job = await bench.ended_job()
    (claimed,) = await bench.deliveries.claim_due(1, lease_s=0.5)
    async with asyncio.timeout(10):
        while not receiver.received:
            await bench.loop.step()
    await bench.loop.finish(5)
    assert receiver.received[0].headers["webhook-id"] == claimed.id
    assert (await bench.delivery(job)).state == "delivered"


class EndpointBench(Bench):
    """The same with an endpoint of the tenant instead of the jobs' own URLs."""

    async def with_endpoint(self) -> EndpointBench:
        self.tenant = await Keys(self.database).ensure_tenant()
        self.endpoints = Endpoints(self.database)
        self.endpoint, _ = await self.endpoints.create(self.tenant, "hook", self.receiver.url, ("job.cancelled",))
        return self

    async def ended_job(self) -> str:
        job = new_job(self.tenant)
        await Jobs(self.database).submit(job)
        await Jobs(self.database).cancel(self.tenant, job.id)
        self.loop.wake()
        return job.id

    async def now(self) -> Endpoint:
        return await self.endpoints.get(self.tenant, self.endpoint.id)


@pytest.fixture
async def endpoint_bench(database: Database, receiver: Receiver) -> AsyncIterator[EndpointBench]:
    one = await EndpointBench(database, receiver).with_endpoint()
    async with stepping(one):
        yield one


async def test_an_endpoint_gets_openais_event_shape_signed_with_its_own_secret(endpoint_bench: EndpointBench) -> None:
    job = await endpoint_bench.ended_job()
    (got,) = await endpoint_bench.receiver.count(1)
    event = Webhook(endpoint_bench.endpoint.secret).verify(got.body, got.headers)
    assert (event["object"], event["type"], event["data"]["id"]) == ("event", "job.cancelled", job)
    assert event["id"].startswith("evt_")
    assert event["data"]["confidence_kind"] == "agreement"
    assert isinstance(event["created_at"], int)


async def test_during_a_rotation_old_and_new_secret_verify_and_afterwards_the_new_one_alone(
    endpoint_bench: EndpointBench, database: Database
) -> None:
    old = endpoint_bench.endpoint.secret
    rotated, _ = await endpoint_bench.endpoints.rotate(endpoint_bench.tenant, endpoint_bench.endpoint.id, overlap=True)
    new = rotated.secret
    await endpoint_bench.ended_job()
    (got,) = await endpoint_bench.receiver.count(1)
    assert len(got.headers["webhook-signature"].split()) == 2
    for secret in (old, new):
        Webhook(secret).verify(got.body, got.headers)
    await run_sql(database, "UPDATE webhook_endpoints SET previous_secret_until = now()")
    await endpoint_bench.ended_job()
    later = (await endpoint_bench.receiver.count(2))[1]
    Webhook(new).verify(later.body, later.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(later.body, later.headers)


async def test_gone_disables_the_endpoint_and_what_was_still_to_be_sent_is_dead(
    endpoint_bench: EndpointBench, database: Database
) -> None:
    endpoint_bench.receiver.answer = b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n"
    waiting = await endpoint_bench.ended_job()
    assert (await endpoint_bench.recorded(waiting)).state == "pending"
    assert (await endpoint_bench.now()).failing_since is not None
    endpoint_bench.receiver.answer = b"HTTP/1.1 410 X\r\ncontent-length: 0\r\n\r\n"
    job = await endpoint_bench.ended_job()
    assert (await endpoint_bench.recorded(job)).state == "dead"
    assert (await endpoint_bench.delivery(waiting)).state == "dead"
    assert (await endpoint_bench.now()).disabled_reason == "gone"
    silent = await endpoint_bench.ended_job()
    assert await endpoint_bench.deliveries.for_job(endpoint_bench.tenant, silent) == []


@pytest.mark.parametrize(("days", "reason"), [(4.9, None), (5.1, "failing")])
async def test_five_days_of_failure_without_a_success_disable_it(
    endpoint_bench: EndpointBench, database: Database, days: float, reason: str | None
) -> None:
    await run_sql(
        database, "UPDATE webhook_endpoints SET failing_since = now() - make_interval(secs => :s)", s=days * 86_400
    )
    endpoint_bench.receiver.answer = b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n"
    await endpoint_bench.recorded(await endpoint_bench.ended_job())
    assert (await endpoint_bench.now()).disabled_reason == reason


async def test_one_success_is_enough_to_begin_anew(endpoint_bench: EndpointBench, database: Database) -> None:
    await run_sql(database, "UPDATE webhook_endpoints SET failing_since = now() - interval '30 days'")
    await endpoint_bench.recorded(await endpoint_bench.ended_job())
    now = await endpoint_bench.now()
    assert (now.failing_since, now.disabled_at) == (None, None)


async def test_what_is_pending_goes_to_the_endpoints_new_url(endpoint_bench: EndpointBench) -> None:
    endpoint_bench.receiver.answer = b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n"
    job = await endpoint_bench.ended_job()
    await endpoint_bench.recorded(job)
    moved = endpoint_bench.receiver.url.replace("/hook", "/moved")
    await endpoint_bench.endpoints.update(endpoint_bench.tenant, endpoint_bench.endpoint.id, url=moved)
    endpoint_bench.receiver.answer = b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n"
    await endpoint_bench.make_due()
    assert (await endpoint_bench.receiver.count(2))[1].line.startswith("POST /moved")
