"""Where in Postgres a text stands: in any column of any table, also inside of bytes."""

from __future__ import annotations

from sqlalchemy import text

from storage.database import Database

_TABLES = text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name")


async def tables_with(database: Database, needle: str) -> list[str]:
    """Names of the tables in which it stands."""
    found = []
    async with database.transaction() as connection:
        for name in (await connection.execute(_TABLES)).scalars().all():
            query = text(
                f'SELECT count(*) FROM "{name}" AS t WHERE strpos(t::text, :plain) > 0 OR strpos(t::text, :hex) > 0'
            )
            if (await connection.execute(query, {"plain": needle, "hex": needle.encode().hex()})).scalar():
                found.append(name)
    return found
