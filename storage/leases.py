"""Claim, heartbeat, commit, release: the orchestrator's view of Postgres (`domain.ports.JobStore`).

Laws: leases run on the database's clock; every claim raises the fence by one; whoever writes names its fence, and a
write under an older fence changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text

from domain import job as transitions
from domain.errors import InvalidRequest
from domain.events import Event
from domain.ids import JobId, TenantId
from domain.job import IllegalTransition, JobStatus
from domain.limits import FREE, Prices
from domain.ports import Claim, JobWrite, Renewal
from storage.claiming import take_jobs
from storage.commits import commit_writes, end_refused
from storage.database import Database
from storage.failures import StatementRefused
from storage.unreadable import read_or_end

log = logging.getLogger(__name__)

_HELD = """
    SELECT jobs.id FROM jobs
    JOIN unnest(CAST(:ids AS text[]), CAST(:fences AS bigint[])) AS mine (id, fence)
        ON jobs.id = mine.id AND jobs.fence = mine.fence
    WHERE jobs.status = 'in_progress' AND jobs.lease_owner = :worker
    ORDER BY jobs.id FOR UPDATE OF jobs
    """
_RENEW = text(
    f"""
    WITH held AS ({_HELD})
    UPDATE jobs SET lease_expires_at = clock_timestamp() + make_interval(secs => :lease_s)
    FROM held WHERE jobs.id = held.id
    RETURNING jobs.id, jobs.cancel_requested_at IS NOT NULL AS cancelled
    """
)
_RELEASE = text(
    f"""
    WITH held AS ({_HELD}), released AS (
        UPDATE jobs SET status = :status, lease_owner = NULL, lease_expires_at = NULL, queued_at = clock_timestamp()
        FROM held WHERE jobs.id = held.id RETURNING jobs.id
    ), posted AS (INSERT INTO outbox (topic, key) SELECT 'job.queued', id FROM released)
    SELECT pg_notify('deliberate_outbox', '')
    """
)


_DEFECTS = (StatementRefused, IllegalTransition, InvalidRequest, TypeError, ValueError)
"""What the encoding or the storing of one bad write raises."""


class PostgresJobStore:
    def __init__(self, database: Database, prices: Prices = FREE) -> None:
        self._database, self._prices = database, prices

    async def claim(self, worker: str, limit: int, lease_s: float, reserved: int = 0) -> tuple[Claim, ...]:
        """Take up to `limit` queued or lease-expired jobs, the last `reserved` only of tenants that run little.

        A job whose stored events this program can't read is ended as failed, so that it can't be claimed for ever.
        """
        status = transitions.claim(JobStatus.QUEUED).value
        async with self._database.transaction() as connection:
            rows = await take_jobs(connection, worker, status, limit, lease_s, reserved)
            traces = await read_or_end(connection, [row.id for row in rows])
        return tuple(_claim(row, traces[row.id]) for row in rows if row.id in traces)

    async def renew(self, worker: str, claims: Sequence[tuple[JobId, int]], lease_s: float) -> Renewal:
        """Extend the leases that still hold, also one that ran out and that nobody took."""
        if not claims:
            return Renewal(frozenset(), frozenset())
        async with self._database.transaction() as connection:
            rows = list(await connection.execute(_RENEW, {"lease_s": lease_s, **_mine(worker, claims)}))
        return Renewal(
            held=frozenset(JobId(row.id) for row in rows),
            cancelled=frozenset(JobId(row.id) for row in rows if row.cancelled),
        )

    async def commit(self, writes: Sequence[JobWrite]) -> frozenset[JobId]:
        """Store all writes whose fence still holds, in one transaction; gives the jobs whose lease was lost.

        Safe to repeat after any error. Raises Unavailable; then nothing, or everything, was stored. A write that breaks
        a law of the tables is a defect of ours: its job ends as failed and counts as lost, the others are stored.
        """
        if not writes:
            return frozenset()
        try:
            async with self._database.transaction() as connection:
                return await commit_writes(connection, writes, self._prices)
        except _DEFECTS as error:
            if len(writes) == 1:
                return await self._refuse(writes[0], error)
        kept = {write.job for write in writes if not await self.commit([write])}
        return frozenset(write.job for write in writes) - kept

    async def _refuse(self, write: JobWrite, error: Exception) -> frozenset[JobId]:
        if isinstance(error, StatementRefused) and not error.by_data:
            raise error
        # Values may be in the texts of other errors than ours, so that only their type is told.
        why = str(error) if isinstance(error, StatementRefused) else type(error).__name__
        log.error("job %s: its progress was refused and it ends as failed: %s", write.job, why)
        async with self._database.transaction() as connection:
            await end_refused(connection, write)
        return frozenset({write.job})

    async def release(self, worker: str, claims: Sequence[tuple[JobId, int]]) -> None:
        """Back to the queue; claims that are no longer held are left alone."""
        if not claims:
            return
        async with self._database.transaction() as connection:
            status = transitions.release(JobStatus.IN_PROGRESS).value
            await connection.execute(_RELEASE, {"status": status, **_mine(worker, claims)})


def _claim(row: Row[Any], events: tuple[Event, ...]) -> Claim:
    return Claim(
        JobId(row.id),
        row.fence,
        events,
        max(0.0, row.started_s),
        TenantId(row.tenant_id),
        row.weight,
        row.priority,
        row.deadline_s,
    )


def _mine(worker: str, claims: Sequence[tuple[JobId, int]]) -> dict[str, Any]:
    return {"worker": worker, "ids": [job for job, _ in claims], "fences": [fence for _, fence in claims]}
