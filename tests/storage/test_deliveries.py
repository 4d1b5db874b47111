"""Webhook deliveries: leased, recorded once, kept when dead, sent again on demand."""

from __future__ import annotations

import asyncio

import pytest

from domain.errors import NotFound
from domain.ids import JobId, TenantId
from storage.database import Database
from storage.deliveries import Deliveries, Delivery, DeliveryRecord
from storage.gauges import delivery_counts, outbox_depth
from storage.jobs import Jobs
from storage.keys import Keys
from storage.tenant_secret import TenantSecret
from tests.support.jobs import new_job, run_sql, scalar

pytestmark = pytest.mark.integration


@pytest.fixture
def deliveries(database: Database) -> Deliveries:
    return Deliveries(database)


async def ended_job(jobs: Jobs, tenant: TenantId) -> JobId:
    job = new_job(tenant, webhook_url="https://example.org/hook")
    await jobs.submit(job)
    await jobs.cancel(tenant, job.id)
    return job.id


async def make_due(database: Database) -> None:
    await run_sql(database, "UPDATE webhook_deliveries SET next_attempt_at = now() WHERE state = 'pending'")


async def record(deliveries: Deliveries, delivery: Delivery, *, ok: bool = False, delay: float | None = None) -> None:
    status, error = (200, None) if ok else (503, "answered 503")
    await deliveries.record(delivery, status_code=status, error=error, next_delay_s=delay, delivered=ok)


async def only(deliveries: Deliveries, tenant: TenantId, job: JobId) -> DeliveryRecord:
    (found,) = await deliveries.for_job(tenant, job)
    return found


async def test_a_due_delivery_has_all_that_sending_needs(
    database: Database, jobs: Jobs, deliveries: Deliveries, tenant: TenantId
) -> None:
    job = await ended_job(jobs, tenant)
    (due,) = await deliveries.claim_due(10, 60)
    assert (due.job_id, due.tenant, due.url, due.attempt) == (job, tenant, "https://example.org/hook", 1)
    assert due.secret == await TenantSecret(database).read(tenant)
    assert due.secret not in repr(due)
    assert "example.org" not in repr(due)


async def test_a_leased_delivery_is_not_due_until_the_lease_ends(
    database: Database, jobs: Jobs, deliveries: Deliveries, tenant: TenantId
) -> None:
    await ended_job(jobs, tenant)
    (first,) = await deliveries.claim_due(10, 60)
    assert await deliveries.claim_due(10, 60) == []
    assert 50 < (await deliveries.next_due_s() or 0) <= 60
    await make_due(database)
    (second,) = await deliveries.claim_due(10, 60)
    assert second == first


async def test_senders_share_the_due_ones_out(jobs: Jobs, deliveries: Deliveries, tenant: TenantId) -> None:
    for _ in range(12):
        await ended_job(jobs, tenant)
    batches = await asyncio.gather(*(deliveries.claim_due(3, 60) for _ in range(4)))
    ids = [due.id for batch in batches for due in batch]
    ids += [due.id for due in await deliveries.claim_due(12, 60)]
    assert len(ids) == len(set(ids)) == 12


async def test_a_success_is_the_end(jobs: Jobs, deliveries: Deliveries, tenant: TenantId) -> None:
    job = await ended_job(jobs, tenant)
    (due,) = await deliveries.claim_due(10, 60)
    await record(deliveries, due, ok=True)
    found = await only(deliveries, tenant, job)
    assert (found.state, found.attempts, found.last_status_code, found.last_error) == ("delivered", 1, 200, None)
    assert found.delivered_at is not None
    assert await deliveries.next_due_s() is None


async def test_a_failure_waits_and_keeps_its_bytes(
    database: Database, jobs: Jobs, deliveries: Deliveries, tenant: TenantId
) -> None:
    job = await ended_job(jobs, tenant)
    (first,) = await deliveries.claim_due(10, 60)
    await record(deliveries, first, delay=300)
    found = await only(deliveries, tenant, job)
    assert (found.state, found.attempts, found.last_status_code) == ("pending", 1, 503)
    assert 290 < (await deliveries.next_due_s() or 0) <= 300
    await make_due(database)
    (second,) = await deliveries.claim_due(10, 60)
    assert (second.id, second.body, second.attempt) == (first.id, first.body, 2)


async def test_without_a_next_time_it_is_dead_and_kept(
    jobs: Jobs, deliveries: Deliveries, database: Database, tenant: TenantId
) -> None:
    job = await ended_job(jobs, tenant)
    (due,) = await deliveries.claim_due(10, 60)
    await record(deliveries, due)
    found = await only(deliveries, tenant, job)
    assert (found.state, found.last_error, found.next_attempt_at) == ("dead", "answered 503", None)
    assert await delivery_counts(database) == {"pending": 0, "delivered": 0, "dead": 1}


async def test_an_attempt_recorded_twice_counts_once(
    database: Database, jobs: Jobs, deliveries: Deliveries, tenant: TenantId
) -> None:
    job = await ended_job(jobs, tenant)
    (due,) = await deliveries.claim_due(10, 60)
    await record(deliveries, due, delay=5)
    await record(deliveries, due, delay=500)
    assert (await only(deliveries, tenant, job)).attempts == 1
    assert (await deliveries.next_due_s() or 0) <= 5
    assert await scalar(database, "SELECT count(*) FROM webhook_attempts") == 1


async def test_a_late_success_counts_and_a_late_failure_does_not(
    jobs: Jobs, deliveries: Deliveries, tenant: TenantId
) -> None:
    job = await ended_job(jobs, tenant)
    (due,) = await deliveries.claim_due(10, 60)
    await record(deliveries, due, delay=5)
    await record(deliveries, due, ok=True)
    assert (await only(deliveries, tenant, job)).state == "delivered"
    await record(deliveries, due)
    assert (await only(deliveries, tenant, job)).state == "delivered"


async def test_a_dead_one_can_be_sent_again(
    database: Database, jobs: Jobs, deliveries: Deliveries, tenant: TenantId
) -> None:
    await ended_job(jobs, tenant)
    (due,) = await deliveries.claim_due(10, 60)
    await record(deliveries, due)
    await run_sql(database, "DELETE FROM outbox")
    await deliveries.replay(tenant, due.id)
    assert await deliveries.next_due_s() == 0
    assert await outbox_depth(database) == 1
    (again,) = await deliveries.claim_due(10, 60)
    assert (again.id, again.body, again.attempt) == (due.id, due.body, 1)
    await record(deliveries, again, ok=True)
    assert await scalar(database, "SELECT count(*) FROM webhook_attempts") == 2


@pytest.mark.parametrize("bad", ["", "whd_\x00", "whd_" + "0" * 26])
async def test_only_its_tenant_can_send_it_again(
    bad: str, database: Database, jobs: Jobs, deliveries: Deliveries, tenant: TenantId
) -> None:
    job = await ended_job(jobs, tenant)
    stranger = await Keys(database).ensure_tenant("stranger")
    with pytest.raises(NotFound):
        await deliveries.replay(stranger, (await only(deliveries, tenant, job)).id)
    with pytest.raises(NotFound):
        await deliveries.replay(tenant, bad)


async def test_any_error_text_can_be_stored(jobs: Jobs, deliveries: Deliveries, tenant: TenantId) -> None:
    job = await ended_job(jobs, tenant)
    (due,) = await deliveries.claim_due(10, 60)
    await deliveries.record(due, status_code=None, error="a\x00b\ud800" * 500, next_delay_s=1, delivered=False)
    found = await only(deliveries, tenant, job)
    assert (found.last_error or "").startswith("ab?")
    assert len(found.last_error or "") <= 500
