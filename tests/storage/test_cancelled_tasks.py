"""A task that is cancelled in the middle of a transaction costs a connection at most: the pool stays whole."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from domain.ids import TenantId
from storage.database import Database
from storage.jobs import Jobs
from storage.leases import PostgresJobStore
from tests.support.jobs import new_job, progress, scalar

pytestmark = pytest.mark.integration


async def test_cancelled_commits_leave_the_pool_and_the_jobs_whole(
    database_url: str, jobs: Jobs, tenant: TenantId
) -> None:
    small = Database.open(database_url, pool_size=2)
    store = PostgresJobStore(small)
    job, _ = await jobs.submit(new_job(tenant))
    (claim,) = await store.claim("w", 1, 60)
    chance = random.Random(7)
    for number in range(40):
        task = asyncio.create_task(store.commit([progress(job.id, claim.fence, 1 + 5 * number, 5)]))
        await asyncio.sleep(chance.random() * 0.008)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert await store.commit([progress(job.id, claim.fence, 1, 200)]) == frozenset()
    assert await scalar(small, "SELECT count(*) FROM events") == 201
    assert await scalar(small, "SELECT count(*) FROM calls") == 200
    backends = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    assert await scalar(small, backends) == 0
    await small.close()
