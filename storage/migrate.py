"""Bring a database's tables to this program's version, or back. Safe to run from many processes at once.

DELIBERATE_DATABASE_URL=postgresql://… python -m storage.migrate
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from domain.errors import ConfigurationError, DeliberateError
from storage.database import parse_url
from storage.failures import translated

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
_LOCK = 0x64656C6962  # "delib": no other program of this database should take the same advisory lock


def upgrade(url: str) -> None:
    """To the newest revision; no-op when it is there. Raises Unavailable or ConfigurationError."""
    with _migrating(url) as config:
        command.upgrade(config, "head")


def downgrade(url: str, revision: str) -> None:
    """Back to `revision` (`base` removes every table and all data). Raises Unavailable or ConfigurationError."""
    with _migrating(url) as config:
        command.downgrade(config, revision)


def current(url: str) -> str | None:
    """The database's revision; None when it has no tables of ours. Raises Unavailable."""
    with _transaction(url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _migrating(url: str) -> Iterator[Config]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with _transaction(url) as connection:
        # Creating many tables may wait for another migration: no limit on that.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config.attributes["connection"] = connection
        try:
            yield config
        except CommandError as error:
            raise ConfigurationError(f"can't migrate the database: {error}") from error


@contextmanager
def _transaction(url: str) -> Iterator[Connection]:
    engine = create_engine(parse_url(url), poolclass=NullPool, hide_parameters=True)
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise translated(error) from error


def main() -> int:
    url = os.environ.get("DELIBERATE_DATABASE_URL", "").strip()
    try:
        if not url:
            raise ConfigurationError("DELIBERATE_DATABASE_URL is not set: give it the database to migrate")
        upgrade(url)
    except DeliberateError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    sys.stdout.write(f"the database is at revision {current(url)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
