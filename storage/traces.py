"""Pages of a job's trace, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import select, text

from domain.codec import decode_event
from domain.errors import NotFound
from domain.events import Event
from domain.ids import TenantId, is_id
from storage.database import Database
from storage.records import NOT_ERASED
from storage.tables import events, jobs

MAX_PAGE = 1000
_LAST_SEQ = 2**31 - 1


@dataclass(frozen=True, slots=True)
class StoredEvent:
    seq: int
    """0, 1, 2, … without gaps."""
    at: datetime
    """When it was stored, by the database's clock."""
    event: Event


# A job that is not there gives no row, one without news a row without an event.
_NEWS = text(
    """
    SELECT jobs.id, events.seq, events.at, events.body
    FROM unnest(CAST(:ids AS text[]), CAST(:nexts AS int[])) AS mine (id, next)
    JOIN jobs ON jobs.id = mine.id AND jobs.erase_requested_at IS NULL
    LEFT JOIN events ON events.job_id = jobs.id AND events.seq >= mine.next
    ORDER BY jobs.id, events.seq LIMIT :limit
    """
)


class Traces:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant: TenantId, job_id: str, *, after: int = -1, limit: int = 100
    ) -> tuple[list[StoredEvent], bool]:
        """At most `limit` (≤ 1000) events beyond number `after`, and whether there are more. Raises NotFound."""
        limit = max(1, min(limit, MAX_PAGE))
        after = max(-1, min(after, _LAST_SEQ))
        query = (
            select(jobs.c.id, events.c.seq, events.c.at, events.c.body)
            .outerjoin(events, (events.c.job_id == jobs.c.id) & (events.c.seq > after))
            .where(jobs.c.id == job_id, jobs.c.tenant_id == tenant, NOT_ERASED)
            .order_by(events.c.seq)
            .limit(limit + 1)
        )
        if not is_id("job", job_id):
            raise NotFound("no such job: check its id")
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            raise NotFound("no such job: check its id")
        return [_stored(row) for row in rows[:limit] if row.seq is not None], len(rows) > limit

    async def news(self, wanted: Mapping[str, int], limit: int) -> tuple[dict[str, list[StoredEvent] | None], bool]:
        """Events of many jobs in one statement, of each from a number on; and whether the answer was cut at `limit`.

        Not scoped by tenant: for jobs that their readers have been seen to own. Jobs that do not exist are left out;
        None stands for one whose trace this program can't read.
        """
        values = {"ids": list(wanted), "nexts": list(wanted.values()), "limit": limit}
        async with self._database.statement() as connection:
            rows = (await connection.execute(_NEWS, values)).all()
        found: dict[str, list[StoredEvent] | None] = {}
        for job, its_rows in groupby(rows, key=lambda row: str(row.id)):
            try:
                found[job] = [_stored(row) for row in its_rows if row.seq is not None]
            except (KeyError, TypeError, ValueError):
                found[job] = None
        return found, len(rows) == limit


def _stored(row: Any) -> StoredEvent:
    return StoredEvent(row.seq, row.at, decode_event(row.body))
