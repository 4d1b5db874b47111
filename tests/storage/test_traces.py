"""Pages of a trace: in order, without gaps, from any number on."""

from __future__ import annotations

import pytest

from domain.ids import TenantId
from storage.database import Database
from storage.jobs import Jobs
from storage.leases import PostgresJobStore
from storage.traces import Traces
from tests.support.jobs import new_job, progress

pytestmark = pytest.mark.integration


@pytest.fixture
async def job(jobs: Jobs, store: PostgresJobStore, tenant: TenantId) -> str:
    record, _ = await jobs.submit(new_job(tenant))
    (claim,) = await store.claim("w", 1, 60)
    await store.commit([progress(claim.job, 1, count=9)])
    return record.id


@pytest.mark.parametrize(
    ("after", "limit", "seqs", "more"),
    [
        (-1, 100, list(range(10)), False),
        (-1, 10, list(range(10)), False),
        (-1, 9, list(range(9)), True),
        (3, 2, [4, 5], True),
        (7, 2, [8, 9], False),
        (9, 5, [], False),
        (10**30, 5, [], False),
        (-(10**30), 1, [0], True),
        (-1, 0, [0], True),
        (-1, 10**30, list(range(10)), False),
    ],
)
async def test_pages(
    after: int, limit: int, seqs: list[int], more: bool, job: str, database: Database, tenant: TenantId
) -> None:
    events, has_more = await Traces(database).page(tenant, job, after=after, limit=limit)
    assert ([item.seq for item in events], has_more) == (seqs, more)
    assert all(item.at.utcoffset() is not None for item in events)
