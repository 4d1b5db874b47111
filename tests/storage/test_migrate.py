"""Up, down and up again; the migrations and `storage.tables` give one schema; concurrent upgrades are one upgrade."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import NullPool, create_engine

from domain.errors import ConfigurationError, Unavailable
from storage import migrate
from storage.database import parse_url
from storage.tables import metadata
from tests.support.postgres import TestPostgres

ROOT = Path(__file__).resolve().parents[2]
NEWEST = max(path.stem[:4] for path in (ROOT / "migrations" / "versions").glob("[0-9]*.py"))
pytestmark = pytest.mark.integration

CATALOGUE = """
    SELECT 'column', table_name, column_name, data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '')
        || ' ' || is_identity || coalesce(identity_generation, '')
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    ORDER BY 1, 2, 3
"""


@pytest.fixture
def empty_url(postgres: TestPostgres) -> Iterator[str]:
    url = postgres.new_database("template0")
    yield url
    postgres.drop_database(url)


def schema(url: str) -> list[tuple[str, ...]]:
    with psycopg.connect(url) as connection:
        return [row for row in connection.execute(CATALOGUE) if row[1] != "alembic_version"]


def test_up_down_and_up_again(empty_url: str) -> None:
    assert migrate.current(empty_url) is None
    migrate.upgrade(empty_url)
    first = schema(empty_url)
    assert migrate.current(empty_url) == NEWEST
    migrate.downgrade(empty_url, "base")
    assert schema(empty_url) == []
    assert migrate.current(empty_url) is None
    migrate.upgrade(empty_url)
    assert schema(empty_url) == first


def test_tenants_keys_and_requests_of_before_go_on(database_url: str) -> None:
    """0002 on a database with rows of 0001, and back."""
    migrate.downgrade(database_url, "0001")
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO tenants (id, name, webhook_secret) VALUES ('ten_1', 'default', 's')")
        for key, label in (("key_1", "DELIBERATE_API_KEYS"), ("key_2", "laptop"), ("key_3", "deliberate up")):
            add = "INSERT INTO api_keys (id, tenant_id, label, secret_hash) VALUES (%s, 'ten_1', %s, %s)"
            connection.execute(add, (key, label, bytes(32)))
        connection.execute("UPDATE api_keys SET revoked_at = now() WHERE id = 'key_3'")
        connection.execute(
            "INSERT INTO jobs (id, tenant_id, problem, strategy, seed, metadata)"
            " VALUES ('job_1', 'ten_1', '{}', '{}', 1, '{}')"
        )
        connection.execute(
            "INSERT INTO idempotency_keys (tenant_id, key, request_hash, job_id, expires_at)"
            " VALUES ('ten_1', 'k', 'h', 'job_1', now() + interval '1 h')"
        )
    migrate.upgrade(database_url)
    with psycopg.connect(database_url) as connection:
        keys = connection.execute(
            "SELECT source, 'admin' = ANY(scopes), revoked_by FROM api_keys ORDER BY id"
        ).fetchall()
        assert keys == [("environment", True, None), ("created", False, None), ("home", True, "unknown")]
        kept = connection.execute("SELECT operation, kind, resource_id FROM idempotency_keys").fetchall()
        assert kept == [("POST /v1/reasoning/jobs", "job", "job_1")]
        assert connection.execute("SELECT weight, max_queued FROM tenants").fetchall() == [(1.0, None)]
    migrate.downgrade(database_url, "0001")
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT job_id FROM idempotency_keys").fetchall() == [("job_1",)]


def test_tables_and_migrations_give_the_same_schema(empty_url: str, database_url: str) -> None:
    engine = create_engine(parse_url(empty_url), poolclass=NullPool)
    metadata.create_all(engine)
    declared, migrated = schema(empty_url), schema(database_url)
    assert declared == migrated
    assert len([row for row in declared if row[0] == "constraint" and row[3].startswith("CHECK")]) >= 20


def test_alembic_finds_nothing_to_migrate(database_url: str) -> None:
    with create_engine(parse_url(database_url), poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_upgrades_at_the_same_time_are_one_upgrade(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate.upgrade, [empty_url] * 4))
    assert migrate.current(empty_url) == NEWEST


def test_an_upgraded_database_is_left_as_it_is(database_url: str) -> None:
    before = schema(database_url)
    migrate.upgrade(database_url)
    assert schema(database_url) == before


def test_a_database_of_a_newer_program_is_refused_in_one_line(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="9999"):
        migrate.upgrade(database_url)


def test_an_unreachable_database_is_one_line_without_the_password() -> None:
    with pytest.raises(Unavailable) as caught:
        migrate.upgrade("postgresql://me:hunter2@127.0.0.1:1/db")
    assert "hunter2" not in caught.value.message
    assert "\n" not in caught.value.message


def test_the_command_migrates(
    empty_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DELIBERATE_DATABASE_URL", empty_url)
    assert migrate.main() == 0
    assert NEWEST in capsys.readouterr().out


def test_the_command_without_a_url_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DELIBERATE_DATABASE_URL", raising=False)
    assert migrate.main() == 2
    assert "DELIBERATE_DATABASE_URL" in capsys.readouterr().err


def test_alembics_own_command_works_too(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELIBERATE_DATABASE_URL", empty_url)
    config = Config(ROOT / "alembic.ini")
    command.upgrade(config, "head")
    assert migrate.current(empty_url) == NEWEST
    command.downgrade(config, "base")
    assert schema(empty_url) == []
