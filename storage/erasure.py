"""Erasing jobs: prompt, trace, answer, webhook bodies and everything that leads to them. Amounts stay, as numbers.

Law: nobody works on what is erased. A job that runs is cancelled first, is invisible from that moment on, and goes when
its worker has ended it, or has been silent about it for too long (its fence then finds no row, and it is abandoned).

Other tables that belong to a job (`REFERENCES jobs ON DELETE CASCADE`) go with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import NotFound
from domain.ids import ENTROPY_BYTES, TenantId, is_id, make_id
from domain.job import FINAL, JobStatus
from storage.audit import SERVICE, note
from storage.columns import one_of
from storage.database import Database
from storage.idempotency import forget
from storage.line_erasure import erase_lines
from storage.outbox import CANCEL, post

PATIENCE_S = 30.0
"""How long a cancelled job's worker has to end it."""
BATCH = 200
_ENDED = one_of("status", [status for status in JobStatus if status in FINAL])

_LOCK = text(
    "SELECT id, status, started_at FROM jobs WHERE id = :id AND tenant_id = :tenant AND erase_requested_at IS NULL"
    " FOR UPDATE"
)
_REQUEST = text(
    """
    UPDATE jobs SET erase_requested_at = clock_timestamp(), webhook_url = NULL, announces = 'nothing',
        cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp())
    WHERE id = :id
    """
)
_REQUESTED = text(
    f"""
    SELECT id, tenant_id FROM jobs
    WHERE erase_requested_at IS NOT NULL AND (status <> 'in_progress'
        OR erase_requested_at < clock_timestamp() - make_interval(secs => :patience))
    ORDER BY erase_requested_at LIMIT {BATCH} FOR UPDATE SKIP LOCKED
    """
)
_KEEPERS = text(
    "SELECT id, extract(epoch FROM clock_timestamp() - make_interval(days => retention_days))::float8 AS cutoff_s"
    " FROM tenants WHERE retention_days IS NOT NULL"
)
# Ids are in the order of creation: of a tenant's index only the part is read that is older than the cut-off.
_TOO_OLD = text(
    f"""
    SELECT id FROM jobs
    WHERE tenant_id = :tenant AND id < :first_kept AND {_ENDED} AND ended_at <= to_timestamp(:cutoff_s)
    ORDER BY id LIMIT {BATCH} FOR UPDATE SKIP LOCKED
    """
)
_DELIVERIES = text("SELECT id FROM webhook_deliveries WHERE job_id = ANY(CAST(:ids AS text[]))")
_BELLS = text("DELETE FROM outbox WHERE key = ANY(CAST(:ids AS text[])) AND topic <> 'job.cancel'")
_DELETE = text("DELETE FROM jobs WHERE id = ANY(CAST(:ids AS text[]))")


class Erasure:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase(self, tenant: TenantId, job_id: str, actor: str) -> None:
        """Gone for its owner when this returns; gone altogether then, or soon after when it runs. Raises NotFound."""
        async with self._database.transaction() as connection:
            job = await _locked(connection, tenant, job_id)
            await note(connection, actor, "job.deleted", tenant, job_id)
            if job.status == JobStatus.IN_PROGRESS:
                await connection.execute(_REQUEST, {"id": job_id})
                await post(connection, CANCEL, [job_id])
            else:
                await erase_jobs(connection, [job_id])

    async def sweep(self) -> int:
        """Erase what was asked for and may go now; gives the number of jobs (at most `BATCH`)."""
        async with self._database.transaction() as connection:
            asked = [row.id for row in await connection.execute(_REQUESTED, {"patience": PATIENCE_S})]
            await erase_jobs(connection, asked)
        return len(asked)

    async def retain(self) -> int:
        """Erase the ended jobs that their tenants keep no longer; gives their number (at most `BATCH` a tenant)."""
        async with self._database.transaction() as connection:
            keepers = (await connection.execute(_KEEPERS)).all()
        return sum([await self._retain_of(row.id, row.cutoff_s) for row in keepers])

    async def _retain_of(self, tenant: str, cutoff_s: float) -> int:
        first_kept = make_id("job", max(0, int(cutoff_s * 1000)), bytes(ENTROPY_BYTES))
        values = {"tenant": tenant, "first_kept": first_kept, "cutoff_s": cutoff_s}
        async with self._database.transaction() as connection:
            old = [row.id for row in await connection.execute(_TOO_OLD, values)]
            await erase_jobs(connection, old)
            if old:
                await note(connection, SERVICE, "jobs.retention", tenant, None, jobs=len(old))
        return len(old)


async def erase_jobs(connection: AsyncConnection, ids: Sequence[str], *, with_lines: bool = True) -> None:
    """Delete these jobs with all that belongs to them. The caller has seen that nobody works on them.

    `with_lines`: also what they asked and answered in the files of batches (False: those files go as a whole).
    """
    if not ids:
        return
    deliveries = [row.id for row in await connection.execute(_DELIVERIES, {"ids": list(ids)})]
    await forget(connection, [*ids, *deliveries])
    await connection.execute(_BELLS, {"ids": [*ids, *deliveries]})
    if with_lines:
        await erase_lines(connection, ids)
    await connection.execute(_DELETE, {"ids": list(ids)})


async def _locked(connection: AsyncConnection, tenant: TenantId, job_id: str) -> Row[Any]:
    if is_id("job", job_id):
        row = (await connection.execute(_LOCK, {"id": job_id, "tenant": tenant})).first()
        if row is not None:
            return row
    raise NotFound("no such job: check its id")
