"""Pages of a job's trace, in order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

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
        found = [StoredEvent(row.seq, row.at, decode_event(row.body)) for row in rows[:limit] if row.seq is not None]
        return found, len(rows) > limit
