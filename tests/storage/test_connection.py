"""SQL as it is written goes past SQLAlchemy: the same rows, the same transaction, errors that say what to do."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from domain.errors import Unavailable
from domain.ids import TenantId
from storage.database import Database
from storage.failures import StatementRefused
from storage.tables import tenants
from tests.support.jobs import scalar

pytestmark = pytest.mark.integration

ROWS = text("SELECT n, n || '%' AS percent FROM generate_series(1, :last) AS n ORDER BY n")
RENAME = text("UPDATE tenants SET name = :name WHERE id = :tenant")


async def test_rows_have_names_places_and_mappings(database: Database) -> None:
    async with database.statement() as connection:
        rows = (await connection.execute(ROWS, {"last": 2})).all()
        none = await connection.execute(ROWS, {"last": 0})
        (as_mapping, _) = (await connection.execute(ROWS, {"last": 2})).mappings()
        numbers = list((await connection.execute(ROWS, {"last": 3})).scalars())
    assert [(row.n, row[1]) for row in rows] == [(1, "1%"), (2, "2%")]
    assert (none.first(), none.scalar(), none.all(), none.rowcount) == (None, None, [], 0)
    assert (as_mapping, numbers) == ({"n": 1, "percent": "1%"}, [1, 2, 3])


async def test_written_and_built_statements_share_a_transaction(database: Database, tenant: TenantId) -> None:
    async with database.transaction() as connection:
        changed = await connection.execute(RENAME, {"name": "new", "tenant": tenant})
        seen = (await connection.execute(select(tenants.c.name).where(tenants.c.id == tenant))).scalar_one()
    assert (changed.rowcount, seen) == (1, "new")

    async def broken_off() -> None:
        async with database.transaction() as connection:
            await connection.execute(RENAME, {"name": "newer", "tenant": tenant})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broken_off()
    assert await scalar(database, "SELECT name FROM tenants") == "new"


async def test_errors_of_the_driver_say_what_to_do(database: Database, tenant: TenantId) -> None:
    with pytest.raises(StatementRefused, match="ck_tenants_weight") as refused:
        async with database.transaction() as connection:
            await connection.execute(text("UPDATE tenants SET weight = :weight"), {"weight": -1.0})
    assert refused.value.by_data
    slow = text("SELECT set_config('statement_timeout', '10', true)"), text("SELECT pg_sleep(5)")

    async def run_slow() -> None:
        async with database.transaction() as connection:
            for statement in slow:
                await connection.execute(statement)

    with pytest.raises(Unavailable, match="took too long"):
        await run_slow()
    assert await scalar(database, "SELECT 1") == 1
