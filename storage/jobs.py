"""Jobs as their users see them: submit, read, list, cancel. Every query is scoped by tenant.

An id that is malformed, unknown or another tenant's gives one and the same NotFound.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import InvalidRequest, NotFound
from domain.ids import JobId, TenantId, is_id
from domain.job import FINAL, JobStatus, cancel_queued
from domain.ports import NewJob
from domain.verdict import StopReason
from storage.audit import SERVICE, note
from storage.database import Database
from storage.filters import EVERY, JobFilter, filtered
from storage.outbox import CANCEL, post
from storage.plain_submission import submit_plainly
from storage.records import NOT_ERASED, JobRecord, job_record, select_jobs
from storage.stopping import stop_job
from storage.submission import submit_row
from storage.tables import jobs

MAX_PAGE = 100
_REQUEST_CANCEL = text(
    "UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()) WHERE id = :id"
)
# Of its own tenant: when the other tenants' jobs are claimed does not depend on it.
_POSITION = text(
    """
    SELECT count(ahead.id) FROM jobs
    LEFT JOIN jobs AS ahead ON ahead.status = 'queued' AND ahead.tenant_id = jobs.tenant_id
        AND (-ahead.priority, ahead.created_at, ahead.id) < (-jobs.priority, jobs.created_at, jobs.id)
    WHERE jobs.id = :id AND jobs.status = 'queued' HAVING count(*) > 0
    """
)
_GET = text(
    """
    SELECT jobs.*, clock_timestamp() AS read_at, CASE WHEN status = 'queued' THEN (
        SELECT count(*) FROM jobs AS ahead WHERE ahead.status = 'queued' AND ahead.tenant_id = jobs.tenant_id
            AND (-ahead.priority, ahead.created_at, ahead.id) < (-jobs.priority, jobs.created_at, jobs.id)
    ) END AS queue_position
    FROM jobs WHERE id = :id AND tenant_id = :tenant AND erase_requested_at IS NULL
    """
)
_COUNTS = text("SELECT status, count(*) AS number FROM jobs GROUP BY status")
_OLDEST = text(
    "SELECT extract(epoch FROM clock_timestamp() - min(queued_at))::float8 FROM jobs WHERE status = 'queued'"
)
# A doorbell wakes an orchestrator, which then claims all that it can: a few are enough however many jobs wait.
_RING_STALE = text(
    """
    WITH stale AS (
        SELECT id FROM jobs WHERE (
            status = 'queued' AND queued_at < statement_timestamp() - make_interval(secs => :age)
            OR status = 'in_progress' AND lease_expires_at < statement_timestamp() - make_interval(secs => :age)
        ) AND NOT EXISTS (SELECT FROM outbox WHERE outbox.key = jobs.id AND topic = 'job.queued')
        LIMIT :limit
    ), posted AS (INSERT INTO outbox (topic, key) SELECT 'job.queued', id FROM stale RETURNING key)
    SELECT count(*), pg_notify('deliberate_outbox', '') FROM posted HAVING count(*) > 0
    """
)


class Jobs:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def submit(self, job: NewJob) -> tuple[JobRecord, bool]:
        """Store a job; True: it is the replay of an earlier request with the same idempotency key (or of this one).

        Raises IdempotencyConflict, InvalidRequest, Unavailable. Safe to repeat with the same NewJob after Unavailable.
        """
        plain = await submit_plainly(self._database, job)
        if plain is not None:
            return plain, False
        async with self._database.transaction() as connection:
            stored, row = await submit_row(connection, job)
            replay = row is None
            return job_record(row or await _read(connection, job.tenant, stored)), replay

    async def get(self, tenant: TenantId, job_id: str) -> JobRecord:
        """With its place in the queue. Raises NotFound."""
        if not is_id("job", job_id):
            raise _unknown()
        async with self._database.statement() as connection:
            row = (await connection.execute(_GET, {"id": job_id, "tenant": tenant})).mappings().first()
        if row is None:
            raise _unknown()
        return job_record(row)

    async def page(
        self,
        tenant: TenantId,
        *,
        status: JobStatus | None = None,
        wanted: JobFilter = EVERY,
        after: str | None = None,
        limit: int = 20,
    ) -> tuple[list[JobRecord], bool]:
        """At most `limit` (≤ 100) jobs, newest first, beyond the job `after`; and whether there are more."""
        if after is not None and not is_id("job", after):
            raise InvalidRequest("after must be the id of a job of the page before", param="after")
        limit = max(1, min(limit, MAX_PAGE))
        query = select_jobs().where(jobs.c.tenant_id == tenant, NOT_ERASED).order_by(jobs.c.id.desc()).limit(limit + 1)
        if status is not None:
            query = query.where(jobs.c.status == status.value)
        query = filtered(query, wanted)
        if after is not None:
            query = query.where(jobs.c.id < after)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [job_record(row) for row in rows[:limit]], len(rows) > limit

    async def cancel(self, tenant: TenantId, job_id: str, actor: str = SERVICE) -> JobRecord:
        """A job that was never begun ends at once; an ended one stays as it is; any other is asked to stop.

        One that a worker gave back has results: its next worker ends it, with the answer found so far. Raises NotFound.
        """
        async with self._database.transaction() as connection:
            row = await _read(connection, tenant, job_id, lock=True)
            status = JobStatus(row["status"])
            if status not in FINAL and row["cancel_requested_at"] is None:
                await note(connection, actor, "job.cancelled", tenant, job_id)
            if status is JobStatus.QUEUED and row["started_at"] is None:
                cancel_queued(status)
                await connection.execute(_REQUEST_CANCEL, {"id": job_id})
                await stop_job(connection, job_id, StopReason.CANCELLED, None, "Cancelled before it was started.")
            elif status not in FINAL and row["cancel_requested_at"] is None:
                await connection.execute(_REQUEST_CANCEL, {"id": job_id})
                await post(connection, CANCEL, [job_id])
            return job_record(await _read(connection, tenant, job_id))

    async def queue_position(self, job_id: str) -> int | None:
        """Number of its tenant's queued jobs that are claimed before it; None when it is not queued (or unknown)."""
        if not is_id("job", job_id):
            return None
        async with self._database.statement() as connection:
            position: int | None = (await connection.execute(_POSITION, {"id": job_id})).scalar()
        return position

    async def counts(self) -> Mapping[JobStatus, int]:
        """Jobs of all tenants by state; every state is present."""
        async with self._database.transaction() as connection:
            rows = {row.status: row.number for row in await connection.execute(_COUNTS)}
        return {status: rows.get(status.value, 0) for status in JobStatus}

    async def oldest_queued_s(self) -> float:
        """Seconds that the oldest queued job has waited; 0 when none waits."""
        async with self._database.transaction() as connection:
            return max(0.0, (await connection.execute(_OLDEST)).scalar() or 0.0)

    async def ring_stale(self, older_than_s: float, limit: int = 100) -> int:
        """Post doorbells again for jobs that nobody took for `older_than_s`; gives their number."""
        async with self._database.transaction() as connection:
            return (await connection.execute(_RING_STALE, {"age": older_than_s, "limit": limit})).scalar() or 0


async def _read(connection: AsyncConnection, tenant: TenantId, job_id: str, *, lock: bool = False) -> RowMapping:
    if is_id("job", job_id):
        query = select_jobs().where(jobs.c.id == JobId(job_id), jobs.c.tenant_id == tenant, NOT_ERASED)
        found = await connection.execute(query.with_for_update() if lock else query)
        row: RowMapping | None = found.mappings().first()
        if row is not None:
            return row
    raise _unknown()


def _unknown() -> NotFound:
    return NotFound("no such job: check its id")
