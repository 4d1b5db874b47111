"""What is erased is gone from every table, at once or as soon as nobody works on it; amounts stay."""

from __future__ import annotations

import pytest

from domain.attempt import Attempt
from domain.errors import NotFound
from domain.ids import TenantId
from domain.problem import text_problem
from storage.database import Database
from storage.deliveries import Deliveries
from storage.erasure import Erasure
from storage.jobs import Jobs
from storage.keys import Keys
from storage.leases import PostgresJobStore
from storage.traces import Traces
from tests.support.jobs import ending, expire_leases, keyed, new_job, progress, run_sql, scalar
from tests.support.tables import tables_with

pytestmark = pytest.mark.integration
CANARY = "canary-of-the-prompt-5e1f"


@pytest.fixture
def erasure(database: Database) -> Erasure:
    return Erasure(database)


async def canary_job(jobs: Jobs, tenant: TenantId, attempt: Attempt | None = None) -> str:
    job = new_job(
        tenant,
        problem=text_problem(CANARY),
        metadata=(("note", CANARY),),
        webhook_url=f"https://example.com/{CANARY}",
        attempt=attempt,
    )
    return (await jobs.submit(job))[0].id


async def test_an_ended_job_leaves_no_word(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId, erasure: Erasure
) -> None:
    job = await canary_job(jobs, tenant, keyed(tenant))
    await canary_job(jobs, tenant, Attempt(tenant, "POST", "hash"))
    for claim in await store.claim("w", 2, 60):
        await store.commit([progress(claim.job, claim.fence), ending(claim.job, claim.fence, 2)])
    assert set(await tables_with(database, CANARY)) == {"events", "jobs", "webhook_deliveries"}
    for one in [job, *[record.id for record in (await jobs.page(tenant))[0] if record.id != job]]:
        await erasure.erase(tenant, one, "key_x")
    assert await tables_with(database, CANARY) == []
    assert await tables_with(database, job) == ["audit_log"], "which says that it was deleted"
    assert await scalar(database, "SELECT count(*) FROM idempotency_keys") == 0
    assert await scalar(database, "SELECT count(*) FROM recent_requests") == 0
    assert await scalar(database, "SELECT sum(calls) FROM usage_days") == 2
    assert (
        await scalar(database, "SELECT string_agg(DISTINCT actor || action, '') FROM audit_log") == "key_xjob.deleted"
    )


async def test_a_running_job_is_unseen_at_once_and_gone_at_its_end(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId, erasure: Erasure
) -> None:
    job = await canary_job(jobs, tenant)
    (claim,) = await store.claim("w", 1, 60)
    await erasure.erase(tenant, job, "key_x")
    for looking in (
        jobs.get(tenant, job),
        Traces(database).page(tenant, job),
        Deliveries(database).for_job(tenant, job),
    ):
        with pytest.raises(NotFound):
            await looking
    assert (await jobs.page(tenant))[0] == []
    assert (await store.renew("w", [(claim.job, claim.fence)], 60)).cancelled == {job}
    assert await erasure.sweep() == 0, "its worker is at it"
    await store.commit([ending(claim.job, claim.fence, 1)])
    assert await erasure.sweep() == 1
    assert await tables_with(database, CANARY) == []


async def test_a_worker_that_says_nothing_is_not_waited_for(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId, erasure: Erasure
) -> None:
    job = await canary_job(jobs, tenant)
    (claim,) = await store.claim("w", 1, 60)
    await erasure.erase(tenant, job, "key_x")
    await run_sql(database, "UPDATE jobs SET erase_requested_at = now() - interval '31 s'")
    assert await erasure.sweep() == 1
    assert await store.commit([progress(claim.job, claim.fence)]) == {job}, "it has lost the job"
    assert await tables_with(database, CANARY) == []


@pytest.mark.parametrize("wrong", ["another's", "unknown", "malformed", "twice"])
async def test_whose_job_it_is_not_sees_none(
    wrong: str, database: Database, jobs: Jobs, tenant: TenantId, erasure: Erasure
) -> None:
    job = await canary_job(jobs, tenant)
    owner = await Keys(database).ensure_tenant("other") if wrong == "another's" else tenant
    if wrong == "twice":
        await erasure.erase(tenant, job, "key_x")
    asked = {"unknown": "job_00000000000000000000000000", "malformed": "job_\x00"}.get(wrong, job)
    with pytest.raises(NotFound):
        await erasure.erase(owner, asked, "key_x")


async def test_retention_erases_what_ended_long_ago_and_nothing_else(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId, erasure: Erasure
) -> None:
    other = await Keys(database).ensure_tenant("other")
    await run_sql(database, "UPDATE tenants SET retention_days = 7 WHERE id = :id", id=tenant)
    for owner in (tenant, tenant, tenant, other):
        await canary_job(jobs, owner)
    claims = await store.claim("w", 3, 60)
    for claim in claims[:2]:
        await store.commit([ending(claim.job, claim.fence, 1)])
    assert await erasure.retain() == 0
    # Eight days pass: ids tell the time of their creation.
    await run_sql(database, "ALTER TABLE events DROP CONSTRAINT fk_events_job_id")
    await run_sql(database, "ALTER TABLE webhook_deliveries DROP CONSTRAINT fk_webhook_deliveries_job_id")
    for table, column in (("events", "job_id"), ("webhook_deliveries", "job_id"), ("jobs", "id")):
        await run_sql(database, f"UPDATE {table} SET {column} = 'job_00' || substr({column}, 7)")
    await run_sql(
        database, "UPDATE jobs SET ended_at = ended_at - interval '8 days', created_at = now() - interval '9 d'"
    )
    await expire_leases(database)
    ended_of_tenant = await scalar(
        database, "SELECT count(*) FROM jobs WHERE tenant_id = :id AND ended_at IS NOT NULL", id=tenant
    )
    assert await erasure.retain() == ended_of_tenant > 0
    assert await scalar(database, "SELECT count(*) FROM jobs") == 4 - ended_of_tenant
    assert await scalar(database, "SELECT action FROM audit_log") == "jobs.retention"
    assert await erasure.retain() == 0
