"""Claims between tenants: by weight, within their limits, and never past the reserve for newcomers."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from domain.ids import TenantId
from storage.database import Database
from storage.jobs import Jobs
from storage.keys import Keys
from storage.leases import PostgresJobStore
from tests.support.jobs import COST, expire_leases, new_job, progress, run_sql, scalar

pytestmark = pytest.mark.integration


@pytest.fixture
async def other(database: Database) -> TenantId:
    return await Keys(database).ensure_tenant("other")


async def submitted(jobs: Jobs, tenant: TenantId, number: int, **changes: int) -> list[str]:
    return [(await jobs.submit(new_job(tenant, **changes)))[0].id for _ in range(number)]


async def claimed(store: PostgresJobStore, limit: int, reserved: int = 0) -> Counter[str]:
    return Counter(claim.tenant for claim in await store.claim("w", limit, 60, reserved))


async def test_slots_go_by_weight_whoever_came_first(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId, other: TenantId
) -> None:
    await submitted(jobs, tenant, 12, priority=100)
    await submitted(jobs, other, 12, priority=-100)
    await run_sql(database, "UPDATE tenants SET weight = 3 WHERE id = :id", id=other)
    (first, *_) = claims = await store.claim("w", 8, 60)
    assert Counter(claim.tenant for claim in claims) == {tenant: 2, other: 6}
    assert (first.tenant, first.weight, first.priority) == (tenant, 1.0, 100)
    assert await claimed(store, 4) == {tenant: 1, other: 3}, "what runs already counts"


async def test_a_newcomer_finds_the_reserve(
    jobs: Jobs, store: PostgresJobStore, tenant: TenantId, other: TenantId
) -> None:
    await submitted(jobs, tenant, 30)
    assert await claimed(store, 16, 2) == {tenant: 14}
    assert await claimed(store, 2, 2) == {}
    await submitted(jobs, other, 3)
    assert await claimed(store, 2, 2) == {other: 1}


async def test_no_more_run_than_a_tenant_may(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId, other: TenantId
) -> None:
    await submitted(jobs, tenant, 5)
    await submitted(jobs, other, 5)
    await run_sql(database, "UPDATE tenants SET max_running = 2 WHERE id = :id", id=tenant)
    assert await claimed(store, 10) == {tenant: 2, other: 5}
    assert await claimed(store, 10) == {}
    await expire_leases(database)
    assert await claimed(store, 10) == {tenant: 2, other: 5}, "a takeover is no new job"
    await run_sql(database, "UPDATE tenants SET max_running = 0")
    await expire_leases(database)
    assert await claimed(store, 10) == {tenant: 2, other: 5}


async def test_workers_at_the_same_time_keep_to_it_too(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId
) -> None:
    await submitted(jobs, tenant, 12)
    await run_sql(database, "UPDATE tenants SET max_running = 3")
    claims = await asyncio.gather(*(store.claim(f"w{number}", 2, 60) for number in range(6)))
    assert sum(map(len, claims)) == 3


async def test_usage_is_the_sum_of_the_calls_however_often_they_are_written(
    database: Database, jobs: Jobs, store: PostgresJobStore, tenant: TenantId, other: TenantId
) -> None:
    await submitted(jobs, tenant, 2)
    await submitted(jobs, other, 1)
    writes = [progress(claim.job, claim.fence, count=3) for claim in await store.claim("w", 10, 60)]
    for _ in range(2):
        await store.commit(writes)
    used = {
        owner: await scalar(database, "SELECT generated_tokens FROM usage_days WHERE tenant_id = :id", id=owner)
        for owner in (tenant, other)
    }
    assert used == {tenant: 6 * COST.generated_tokens, other: 3 * COST.generated_tokens}
    for column in ("prompt_tokens", "flops", "rollouts"):
        total = await scalar(database, f"SELECT sum({column}) FROM usage_days")
        assert total == await scalar(database, f"SELECT sum({column}) FROM calls")
    assert await scalar(database, "SELECT sum(calls) FROM usage_days") == 9
