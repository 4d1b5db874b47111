"""Claim, heartbeat, takeover, release: one holder at a time, and the fence grows with every claim."""

from __future__ import annotations

import pytest

from domain.events import JobSubmitted
from domain.ids import JobId, TenantId
from domain.job import JobStatus
from domain.verdict import StopReason
from storage.database import Database
from storage.deliveries import Deliveries
from storage.jobs import Jobs
from storage.leases import PostgresJobStore
from storage.traces import Traces
from tests.support.jobs import expire_leases, new_job, progress, run_sql, scalar

pytestmark = pytest.mark.integration


async def test_claims_go_by_priority_then_age(jobs: Jobs, store: PostgresJobStore, tenant: TenantId) -> None:
    ids = [(await jobs.submit(new_job(tenant, priority=priority)))[0].id for priority in (0, 0, 9, -9, 0)]
    first = await store.claim("w", 2, 60)
    second = await store.claim("w", 10, 60)
    assert [claim.job for claim in first] == [ids[2], ids[0]]
    assert [claim.job for claim in second] == [ids[1], ids[4], ids[3]]
    assert await store.claim("w", 10, 60) == ()


async def test_a_first_claim_brings_event_0_and_starts_the_clock(
    jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    job, _ = await jobs.submit(new_job(tenant))
    (claim,) = await store.claim("w", 1, 60)
    assert (claim.job, claim.fence) == (job.id, 1)
    assert [type(event) for event in claim.events] == [JobSubmitted]
    assert 0 <= claim.started_s < 1
    record = await jobs.get(tenant, job.id)
    assert (record.status, record.fence) == (JobStatus.IN_PROGRESS, 1)
    assert record.started_at is not None
    assert record.queue_seconds == (record.started_at - record.created_at).total_seconds()
    assert record.seconds == (record.read_at - record.started_at).total_seconds()


async def test_a_lease_is_on_the_databases_clock(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    await jobs.submit(new_job(tenant))
    (claim,) = await store.claim("w", 1, 15)
    left = "SELECT extract(epoch FROM lease_expires_at - clock_timestamp()) FROM jobs"
    assert 10 < await scalar(database, left) <= 15
    await store.renew("w", [(claim.job, claim.fence)], 100)
    assert 90 < await scalar(database, left) <= 100


async def test_a_live_lease_is_not_taken_and_an_expired_one_is(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    await jobs.submit(new_job(tenant))
    (first,) = await store.claim("one", 1, 60)
    await store.commit([progress(first.job, first.fence, count=3)])
    await run_sql(database, "UPDATE jobs SET started_at = started_at - interval '50 s'")
    assert await store.claim("two", 1, 60) == ()
    await expire_leases(database)
    (second,) = await store.claim("two", 1, 60)
    assert (second.job, second.fence) == (first.job, 2)
    assert len(second.events) == 4
    assert 50 <= second.started_s < 60


async def test_expired_and_queued_jobs_share_one_order(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    old, _ = await jobs.submit(new_job(tenant))
    await store.claim("one", 1, 60)
    await expire_leases(database)
    urgent, _ = await jobs.submit(new_job(tenant, priority=1))
    assert [claim.job for claim in await store.claim("two", 2, 60)] == [urgent.id, old.id]


async def test_a_zombie_can_not_renew_commit_or_release(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    job, _ = await jobs.submit(new_job(tenant))
    await store.claim("zombie", 1, 60)
    await expire_leases(database)
    await store.claim("heir", 1, 60)
    assert (await store.renew("zombie", [(job.id, 1)], 60)).held == frozenset()
    assert await store.commit([progress(job.id, 1)]) == {job.id}
    await store.release("zombie", [(job.id, 1)])
    events, _ = await Traces(database).page(tenant, job.id)
    assert len(events) == 1
    assert await scalar(database, "SELECT count(*) FROM calls") == 0
    record = await jobs.get(tenant, job.id)
    assert (record.status, record.fence, record.spend.rollouts) == (JobStatus.IN_PROGRESS, 2, 0)
    assert (await store.renew("heir", [(job.id, 2)], 60)).held == {job.id}


async def test_a_fence_belongs_to_its_worker(jobs: Jobs, store: PostgresJobStore, tenant: TenantId) -> None:
    job, _ = await jobs.submit(new_job(tenant))
    await store.claim("one", 1, 60)
    assert (await store.renew("two", [(job.id, 1)], 60)).held == frozenset()
    await store.release("two", [(job.id, 1)])
    assert (await jobs.get(tenant, job.id)).status is JobStatus.IN_PROGRESS


async def test_a_lease_that_ran_out_and_was_not_taken_can_be_renewed(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    job, _ = await jobs.submit(new_job(tenant))
    await store.claim("w", 1, 60)
    await expire_leases(database)
    assert (await store.renew("w", [(job.id, 1)], 60)).held == {job.id}
    assert await store.claim("two", 1, 60) == ()


async def test_a_released_job_is_claimable_at_once_and_rung(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    job, _ = await jobs.submit(new_job(tenant))
    await store.claim("one", 1, 60)
    await run_sql(database, "DELETE FROM outbox")
    await store.release("one", [(job.id, 1)])
    assert (await jobs.get(tenant, job.id)).status is JobStatus.QUEUED
    assert await scalar(database, "SELECT topic || ' ' || key FROM outbox") == f"job.queued {job.id}"
    (claim,) = await store.claim("two", 1, 60)
    assert claim.fence == 2


async def test_no_claims_need_no_database(store: PostgresJobStore) -> None:
    assert (await store.renew("w", [], 60)).held == frozenset()
    assert await store.commit([]) == frozenset()
    await store.release("w", [])


@pytest.mark.parametrize(
    "damage",
    [
        """UPDATE events SET body = '{"type": "from_the_future"}' WHERE job_id = :job""",
        "UPDATE events SET seq = 5 WHERE job_id = :job",
        """UPDATE events SET body = '[]' WHERE job_id = :job""",
    ],
)
async def test_a_trace_that_can_not_be_read_ends_its_job_and_no_other(
    damage: str, database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    bad, _ = await jobs.submit(new_job(tenant, webhook_url="https://example.org/"))
    good, _ = await jobs.submit(new_job(tenant))
    await run_sql(database, damage, job=bad.id)
    assert [claim.job for claim in await store.claim("w", 10, 60)] == [good.id]
    record = await jobs.get(tenant, bad.id)
    assert (record.status, record.stop_reason) == (JobStatus.FAILED, StopReason.INTERNAL_ERROR)
    assert record.error is not None
    assert "can't be read" in record.error.message
    assert [due.job_id for due in await Deliveries(database).claim_due(10, 60)] == [JobId(bad.id)]
