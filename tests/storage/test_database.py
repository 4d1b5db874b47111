"""When Postgres can't serve, there is one line that says what to do; when it is back, so are we."""

from __future__ import annotations

import signal

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from domain.errors import ConfigurationError, InvalidRequest, Unavailable
from domain.ids import TenantId
from storage import database as module
from storage.database import Database, parse_url
from storage.failures import StatementRefused, translated
from storage.jobs import Jobs
from tests.support.jobs import new_job, run_sql, scalar
from tests.support.postgres import TestPostgres

pytestmark = pytest.mark.integration

POST = text("INSERT INTO outbox (topic, key) VALUES ('job.queued', 'x')")


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://me:hunter2@h/db", "postgresql://me:hunter2@h:port/db"])
def test_a_wrong_url_is_one_line_without_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Database.open(url)
    assert "hunter2" not in caught.value.message
    assert "DELIBERATE_DATABASE_URL" in caught.value.message


def test_a_url_may_bring_its_own_settings() -> None:
    url = parse_url("postgres://me@/db?host=/run/pg&application_name=mine")
    assert (url.query["application_name"], url.query["host"]) == ("mine", "/run/pg")
    assert url.query["connect_timeout"] == "5"


async def test_nobody_at_the_address() -> None:
    database = Database.open("postgresql://me:hunter2@127.0.0.1:1/db")
    with pytest.raises(Unavailable) as caught:
        await database.ping()
    assert "hunter2" not in caught.value.message
    assert "can't be reached" in caught.value.message
    await database.close()


async def test_a_database_that_does_not_exist(postgres: TestPostgres) -> None:
    database = Database.open(postgres.url("nowhere"))
    with pytest.raises(Unavailable, match="create it"):
        await database.ping()
    await database.close()


async def test_a_database_without_tables(postgres: TestPostgres) -> None:
    database = Database.open(postgres.url())
    with pytest.raises(Unavailable, match=r"storage\.migrate"):
        await Jobs(database).counts()
    await database.close()


async def test_a_restart_of_postgres_is_survived(
    postgres: TestPostgres, database: Database, jobs: Jobs, tenant: TenantId
) -> None:
    job, _ = await jobs.submit(new_job(tenant))
    postgres.stop(signal.SIGINT)
    try:
        with pytest.raises(Unavailable):
            await jobs.get(tenant, job.id)
        with pytest.raises(Unavailable):
            await database.listener.wait(1)
    finally:
        postgres.start()
    assert (await jobs.get(tenant, job.id)).id == job.id
    assert await database.listener.wait(1)


async def test_a_connection_that_is_cut_in_a_transaction_is_unavailable_and_stores_nothing(
    database: Database, jobs: Jobs, tenant: TenantId
) -> None:
    async def cut_off() -> None:
        async with database.transaction() as connection:
            await connection.execute(POST)
            pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar()
            await run_sql(database, "SELECT pg_terminate_backend(:pid, 5000)", pid=pid)
            await connection.execute(POST)

    with pytest.raises(Unavailable, match="again"):
        await cut_off()
    assert await scalar(database, "SELECT count(*) FROM outbox") == 0


async def test_a_pool_that_is_used_up_says_so(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POOL_TIMEOUT_S", 0.05)
    database = Database.open(database_url, pool_size=1)
    async with database.transaction():
        with pytest.raises(Unavailable, match="connections of this process"):
            await database.ping()
    await database.ping()
    await database.close()


async def test_a_statement_that_takes_too_long_is_stopped(database: Database) -> None:
    async def oversleep() -> None:
        async with database.transaction() as connection:
            await connection.execute(text("SET LOCAL statement_timeout = 50"))
            await connection.execute(text("SELECT pg_sleep(20)"))

    with pytest.raises(Unavailable, match="took too long"):
        await oversleep()
    assert await scalar(database, "SHOW statement_timeout") == "30s"
    assert await scalar(database, "SHOW application_name") == "deliberate"


def test_a_full_disk_says_so() -> None:
    error = OperationalError("INSERT …", {}, psycopg.errors.DiskFull("could not extend file"))
    seen = translated(error)
    assert isinstance(seen, Unavailable)
    assert "disk is full" in seen.message


async def test_a_refused_row_names_its_law_and_not_its_values(database: Database, jobs: Jobs, tenant: TenantId) -> None:
    await jobs.submit(new_job(tenant))
    with pytest.raises(StatementRefused) as caught:
        await run_sql(database, "UPDATE jobs SET lease_owner = :value", value="canary-7f3a")
    seen: BaseException | None = caught.value
    assert "ck_jobs_lease" in str(seen)
    assert "canary-7f3a" not in str(seen)
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None


async def test_a_character_that_can_not_be_stored_is_the_callers(database: Database) -> None:
    with pytest.raises(InvalidRequest):
        await scalar(database, "SELECT CAST(:value AS text)", value="a\x00b")


async def test_an_error_of_the_caller_rolls_back(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute(POST)
            raise KeyError("not ours")

    with pytest.raises(KeyError):
        await fail()
    assert await scalar(database, "SELECT count(*) FROM outbox") == 0
