"""Ends the queued jobs whose deadline has come. One that was begun has results: its next worker ends it with them."""

from __future__ import annotations

from sqlalchemy import text

from domain.job import JobStatus, expire_queued
from domain.verdict import StopReason
from storage.database import Database
from storage.stopping import stop_job

BATCH = 100

_OVERDUE = text(
    """
    SELECT id FROM jobs WHERE status = 'queued' AND deadline IS NOT NULL AND deadline <= statement_timestamp()
        AND started_at IS NULL
    ORDER BY deadline LIMIT :limit FOR UPDATE SKIP LOCKED
    """
)
_WHY = "Its deadline came before it was started."


async def end_overdue(database: Database, limit: int = BATCH) -> int:
    """End up to `limit` of them; gives their number. Raises Unavailable."""
    async with database.transaction() as connection:
        ids = [row.id for row in await connection.execute(_OVERDUE, {"limit": limit})]
        for job in ids:
            expire_queued(JobStatus.QUEUED)
            await stop_job(connection, job, StopReason.DEADLINE, None, _WHY)
    return len(ids)
