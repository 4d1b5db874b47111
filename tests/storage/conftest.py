"""One migrated database, one tenant and the stores over them."""

from __future__ import annotations

import pytest

from domain.ids import TenantId
from storage.database import Database
from storage.jobs import Jobs
from storage.keys import Keys
from storage.leases import PostgresJobStore
from tests.support.batch_bench import Bench


@pytest.fixture
async def tenant(database: Database) -> TenantId:
    return await Keys(database).ensure_tenant()


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database)


@pytest.fixture
def store(database: Database) -> PostgresJobStore:
    return PostgresJobStore(database)


@pytest.fixture
def bench(database: Database, tenant: TenantId) -> Bench:
    return Bench(database, tenant)
