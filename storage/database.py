"""The door to Postgres: one lazy pool per process, and every transaction either commits whole or leaves nothing.

Errors that mean "Postgres can't serve us now" become `domain.errors.Unavailable` (see `storage.failures`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from sqlalchemy import URL, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from domain.errors import ConfigurationError
from storage.connection import Connection
from storage.failures import translated
from storage.listener import Listener

DRIVER = "postgresql+psycopg"
CONNECT_TIMEOUT_S = 5
POOL_TIMEOUT_S = 10
FRESH_S = 1.0
_RETURNED_AT = "deliberate.returned_at"
STATEMENT_TIMEOUT_MS = 30_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000
"""A process that hangs inside of a transaction loses its locks after this time."""


def parse_url(url: str) -> URL:
    """The URL with our driver and defaults. Raises ConfigurationError without showing the URL (it has a password)."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "DELIBERATE_DATABASE_URL is not a URL: use postgresql://user:password@host/db"
        ) from None
    if parsed.drivername.split("+")[0] not in ("postgresql", "postgres"):
        raise ConfigurationError("DELIBERATE_DATABASE_URL must begin with postgresql://: only Postgres is supported")
    return parsed.set(drivername=DRIVER).update_query_dict(_defaults(parsed))


def _defaults(url: URL) -> dict[str, str]:
    defaults = {
        "connect_timeout": str(CONNECT_TIMEOUT_S),
        "application_name": "deliberate",
        "options": f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS}"
        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_MS}",
    }
    return {name: value for name, value in defaults.items() if name not in url.query}


def _ping_idle_ones(engine: AsyncEngine) -> None:
    """Ask a connection that has been idle whether it still lives; one that worked a moment ago is believed."""
    pool: Any = engine.sync_engine

    def returned(_: Any, record: Any) -> None:
        record.info[_RETURNED_AT] = time.monotonic()

    def taken(connection: Any, record: Any, _: Any) -> None:
        if time.monotonic() - record.info.get(_RETURNED_AT, time.monotonic()) < FRESH_S:
            return
        try:
            alive = engine.dialect.do_ping(connection)
        except DBAPIError:
            alive = False
        except engine.dialect.loaded_dbapi.Error:
            alive = False
        if not alive:
            raise DisconnectionError

    event.listen(pool, "checkin", returned)
    event.listen(pool, "checkout", taken)


class Database:
    """A pool of connections. It belongs to the event loop in which it is first used."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.listener = Listener(engine.url)

    @classmethod
    def open(cls, url: str, *, pool_size: int = 10) -> Database:
        """Connects at the first use. `url`: `postgresql://…`, also with a unix socket (`…@/db?host=/folder`)."""
        engine = create_async_engine(
            parse_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            hide_parameters=True,  # an error's text may reach a log, a prompt may not
        )
        _ping_idle_ones(engine)
        return cls(engine)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Commits at the end, rolls back on any error. Raises Unavailable when Postgres can't serve us,
        StatementRefused for a defect of ours."""
        try:
            async with self._engine.begin() as connection:
                yield Connection.of(connection)
        except (SQLAlchemyError, psycopg.Error) as error:
            raise translated(error) from None

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncConnection]:
        """For one statement: it is its own transaction, which saves two trips to the server. Raises what `transaction`
        raises."""
        try:
            async with self._reader.connect() as connection:
                yield Connection.of(connection)
        except (SQLAlchemyError, psycopg.Error) as error:
            raise translated(error) from None

    async def ping(self) -> None:
        """Raises Unavailable when Postgres can't be reached."""
        async with self.transaction() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.listener.close()
        await self._engine.dispose()
