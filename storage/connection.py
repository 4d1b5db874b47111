"""A connection that runs SQL as it is written past SQLAlchemy: a small statement costs a third of this process's time.

Law: whoever uses it sees no difference, but that errors of such statements are the driver's own (`storage.failures`
knows both). What is built from tables still goes through SQLAlchemy, on the same connection and in the same
transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from psycopg import AsyncCursor, Error
from psycopg.rows import namedtuple_row
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

NOTHING: Mapping[str, Any] = {}


class Rows:
    """What a statement gave, with the part of SQLAlchemy's `Result` that we use; a row is a named tuple."""

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> list[Any]:
        return self._rows

    def first(self) -> Any:
        """None without one."""
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        (row,) = self._rows
        return row

    def scalar(self) -> Any:
        """The first value of the first row; None without one."""
        return self._rows[0][0] if self._rows else None

    def scalar_one(self) -> Any:
        return self.one()[0]

    def scalars(self) -> Rows:
        return Rows([row[0] for row in self._rows], self.rowcount)

    def mappings(self) -> Rows:
        return Rows([row._asdict() for row in self._rows], self.rowcount)


class Connection(AsyncConnection):
    """Shares the transaction of the connection that it is made from."""

    @classmethod
    def of(cls, connection: AsyncConnection) -> Connection:
        return cls(connection.engine, connection.sync_connection)

    async def execute(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        if options or not isinstance(statement, TextClause) or not isinstance(parameters, Mapping | None):
            return await super().execute(statement, parameters, **options)
        return await self._run(driver_sql(statement), NOTHING if parameters is None else parameters)

    async def _run(self, statement: str, values: Mapping[str, Any]) -> Rows:
        assert self.sync_connection is not None
        driver: Any = self.sync_connection.connection.driver_connection
        cursor: AsyncCursor[Any]
        try:
            async with driver.cursor(row_factory=namedtuple_row) as cursor:
                await cursor.execute(statement, values)
                return Rows(await cursor.fetchall() if cursor.description else [], cursor.rowcount)
        except Error:
            if driver.closed:
                # The pool makes a new one, and the roll-back does not hide this error behind one of its own.
                await self.invalidate()
            raise


@cache
def driver_sql(statement: TextClause) -> str:
    """With `%(name)s` for `:name`. The statements are constants of modules: each is rewritten once."""
    return str(statement.compile(dialect=_DIALECT))


_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]
