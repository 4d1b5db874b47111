"""Reading, listing and cancelling; another tenant's job is no job."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest

from domain.errors import InvalidRequest, NotFound
from domain.events import JobStopped
from domain.ids import JobId, TenantId
from domain.job import JobStatus
from domain.verdict import StopReason
from storage.database import Database
from storage.deliveries import Deliveries
from storage.jobs import Jobs
from storage.keys import Keys
from storage.leases import PostgresJobStore
from storage.traces import Traces
from tests.support.jobs import ending, expire_leases, new_job, progress, run_sql, scalar

pytestmark = pytest.mark.integration

MISSING = "job_" + "0" * 26


async def submit_many(jobs: Jobs, tenant: TenantId, number: int) -> list[JobId]:
    return [(await jobs.submit(new_job(tenant)))[0].id for _ in range(number)]


@pytest.mark.parametrize("bad", ["", "job_", "job_\x00", "x" * 10_000, "whd_" + "0" * 26, "' OR 1=1 --", MISSING])
async def test_an_unknown_or_malformed_id_is_not_found(
    bad: str, database: Database, jobs: Jobs, tenant: TenantId
) -> None:
    deliveries, traces = Deliveries(database), Traces(database)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: jobs.get(tenant, bad),
        lambda: jobs.cancel(tenant, bad),
        lambda: traces.page(tenant, bad),
        lambda: deliveries.for_job(tenant, bad),
    ]
    for ask in calls:
        with pytest.raises(NotFound):
            await ask()
    assert await jobs.queue_position(bad) is None


async def test_another_tenants_job_is_not_found_with_the_same_words(
    database: Database, jobs: Jobs, tenant: TenantId
) -> None:
    job, _ = await jobs.submit(new_job(tenant, webhook_url="https://example.org/"))
    stranger = await Keys(database).ensure_tenant("stranger")
    calls: list[Callable[[str], Awaitable[object]]] = [
        lambda job_id: jobs.get(stranger, job_id),
        lambda job_id: jobs.cancel(stranger, job_id),
        lambda job_id: Traces(database).page(stranger, job_id),
        lambda job_id: Deliveries(database).for_job(stranger, job_id),
    ]
    for ask in calls:
        with pytest.raises(NotFound) as theirs:
            await ask(job.id)
        with pytest.raises(NotFound) as missing:
            await ask(MISSING)
        assert theirs.value.message == missing.value.message
    assert await jobs.page(stranger) == ([], False)
    assert (await jobs.get(tenant, job.id)).status is JobStatus.QUEUED


async def test_pages_are_newest_first_and_stay_stable_under_inserts(jobs: Jobs, tenant: TenantId) -> None:
    ids = await submit_many(jobs, tenant, 5)
    first, more = await jobs.page(tenant, limit=2)
    assert ([job.id for job in first], more) == ([ids[4], ids[3]], True)
    await submit_many(jobs, tenant, 3)
    second, more = await jobs.page(tenant, after=first[-1].id, limit=2)
    assert ([job.id for job in second], more) == ([ids[2], ids[1]], True)
    last, more = await jobs.page(tenant, after=second[-1].id, limit=2)
    assert ([job.id for job in last], more) == ([ids[0]], False)


async def test_a_page_can_be_of_one_state(jobs: Jobs, store: PostgresJobStore, tenant: TenantId) -> None:
    ids = await submit_many(jobs, tenant, 3)
    (claim,) = await store.claim("w", 1, 60)
    assert claim.job == ids[0]
    running, more = await jobs.page(tenant, status=JobStatus.IN_PROGRESS)
    assert ([job.id for job in running], more) == ([ids[0]], False)
    queued, _ = await jobs.page(tenant, status=JobStatus.QUEUED)
    assert [job.id for job in queued] == [ids[2], ids[1]]


async def test_a_cursor_must_be_a_job(jobs: Jobs, tenant: TenantId) -> None:
    with pytest.raises(InvalidRequest):
        await jobs.page(tenant, after="\x00")


async def test_the_queue_position_is_the_claims_order(jobs: Jobs, store: PostgresJobStore, tenant: TenantId) -> None:
    low, high, normal = [(await jobs.submit(new_job(tenant, priority=priority)))[0].id for priority in (-5, 5, 0)]
    assert [await jobs.queue_position(job) for job in (high, normal, low)] == [0, 1, 2]
    assert [claim.job for claim in await store.claim("w", 1, 60)] == [high]
    assert [await jobs.queue_position(job) for job in (high, normal, low)] == [None, 0, 1]


async def test_counts_and_age(database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId) -> None:
    assert await jobs.oldest_queued_s() == 0.0
    await submit_many(jobs, tenant, 2)
    await store.claim("w", 1, 60)
    await run_sql(database, "UPDATE jobs SET queued_at = queued_at - interval '100 s'")
    counts = await jobs.counts()
    assert counts == {status: {"queued": 1, "in_progress": 1}.get(status, 0) for status in JobStatus}
    assert 100 <= await jobs.oldest_queued_s() < 160


async def test_a_queued_job_is_cancelled_at_once(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    job = new_job(tenant, webhook_url="https://example.org/hook", metadata=(("a", "b"),))
    await jobs.submit(job)
    record = await jobs.cancel(tenant, job.id)
    assert (record.status, record.stop_reason) == (JobStatus.CANCELLED, StopReason.CANCELLED)
    assert record.verdict is not None
    assert (record.verdict.answer, record.verdict.confidence) == (None, 0.0)
    assert record.ended_at is not None
    assert record.seconds == 0.0
    events, _ = await Traces(database).page(tenant, job.id)
    assert [item.seq for item in events] == [0, 1]
    assert isinstance(events[1].event, JobStopped)
    assert events[1].event.reason is StopReason.CANCELLED
    (delivery,) = await Deliveries(database).claim_due(10, 60)
    body = json.loads(delivery.body)
    assert (body["type"], body["data"]["metadata"]) == ("job.cancelled", {"a": "b"})
    topics = "SELECT string_agg(topic, ',' ORDER BY id) FROM outbox"
    assert await scalar(database, topics) == "job.queued,webhook.due"


async def test_a_running_job_is_asked_to_stop_once(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    job, _ = await jobs.submit(new_job(tenant))
    await store.claim("w", 1, 60)
    for _ in range(2):
        record = await jobs.cancel(tenant, job.id)
        assert (record.status, record.cancel_requested) == (JobStatus.IN_PROGRESS, True)
    assert await scalar(database, "SELECT count(*) FROM outbox WHERE topic = 'job.cancel'") == 1
    assert (await store.renew("w", [(job.id, 1)], 60)).cancelled == {job.id}


async def test_cancelling_an_ended_job_changes_nothing(jobs: Jobs, store: PostgresJobStore, tenant: TenantId) -> None:
    job, _ = await jobs.submit(new_job(tenant))
    await store.claim("w", 1, 60)
    await store.commit([ending(job.id, 1, 1)])
    record = await jobs.cancel(tenant, job.id)
    assert (record.status, record.cancel_requested) == (JobStatus.COMPLETED, False)


async def test_stale_jobs_are_rung_again_but_not_twice(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    queued, taken, fresh = await submit_many(jobs, tenant, 3)
    await run_sql(database, "DELETE FROM outbox")
    await store.claim("w", 1, 60)
    await expire_leases(database)
    await run_sql(database, "UPDATE jobs SET queued_at = queued_at - interval '1 h' WHERE id <> :fresh", fresh=fresh)
    assert await jobs.ring_stale(30) == 1
    assert await jobs.ring_stale(0.5) == 1
    assert await jobs.ring_stale(30) == 0
    rung = await scalar(database, "SELECT array_agg(key ORDER BY key) FROM outbox")
    assert rung == sorted([queued, taken])


async def test_cancelling_a_job_that_was_given_back_keeps_what_was_found(database: Database, tenant: TenantId) -> None:
    """Its next worker ends it, with the answer so far; until then it is queued and asked to stop."""
    jobs, store = Jobs(database), PostgresJobStore(database)
    record, _ = await jobs.submit(new_job(tenant))
    (claim,) = await store.claim("w", 1, 15)
    await store.commit([progress(record.id, claim.fence, count=2)])
    await store.release("w", [(claim.job, claim.fence)])
    asked = await jobs.cancel(tenant, record.id)
    assert (asked.status, asked.cancel_requested) == (JobStatus.QUEUED, True)
    (again,) = await store.claim("w2", 1, 15)
    renewal = await store.renew("w2", [(again.job, again.fence)], 15)
    assert renewal.cancelled == {record.id}
