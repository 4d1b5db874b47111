"""Erasing a whole batch with its files, lines and jobs, on request or because its tenant keeps nothing for longer.

Law: a batch that is to be erased is invisible at once, and goes in bounded parts when it has ended.
"""

from __future__ import annotations

from sqlalchemy import text

from domain.ids import TenantId
from storage.audit import SERVICE, note
from storage.batches import read_batch
from storage.database import Database
from storage.erasure import erase_jobs
from storage.idempotency import forget

JOBS_AT_ONCE = 500
_REQUEST = text(
    """
    UPDATE batches SET erase_requested_at = clock_timestamp(),
        stopping = CASE WHEN status IN ('validating', 'in_progress') THEN coalesce(stopping, 'cancelled')
            ELSE stopping END,
        cancelling_at = CASE WHEN status IN ('validating', 'in_progress') AND stopping IS NULL THEN clock_timestamp()
            ELSE cancelling_at END,
        status = CASE WHEN status IN ('validating', 'in_progress') AND stopping IS NULL THEN 'cancelling'
            ELSE status END
    WHERE id = :id
    """
)
_DUE = text(
    "SELECT id, input_file_id, output_file_id, error_file_id FROM batches WHERE erase_requested_at IS NOT NULL"
    " AND status IN ('failed', 'completed', 'expired', 'cancelled') ORDER BY erase_requested_at LIMIT 1"
    " FOR UPDATE SKIP LOCKED"
)
_RETAIN = text(
    """
    UPDATE batches SET erase_requested_at = clock_timestamp() FROM tenants
    WHERE tenants.id = batches.tenant_id AND erase_requested_at IS NULL
        AND coalesce(completed_at, failed_at, expired_at, cancelled_at)
            <= clock_timestamp() - make_interval(days => retention_days)
    """
)
_RETAIN_FILES = text(
    """
    DELETE FROM files USING tenants WHERE tenants.id = files.tenant_id
        AND files.created_at <= clock_timestamp() - make_interval(days => retention_days)
        AND NOT EXISTS (SELECT FROM batches WHERE files.id IN (input_file_id, output_file_id, error_file_id))
    """
)
_SOME_JOBS = text("SELECT job_id FROM batch_lines WHERE batch_id = :batch AND job_id IS NOT NULL LIMIT :limit")
_DELETE_BATCH = text("DELETE FROM batches WHERE id = :batch")
_DELETE_FILES = text(
    """
    DELETE FROM files WHERE id = ANY(CAST(:ids AS text[])) AND NOT EXISTS (
        SELECT FROM batches WHERE files.id IN (input_file_id, output_file_id, error_file_id)
    )
    """
)


class BatchErasure:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def request(self, tenant: TenantId, batch_id: str, actor: str = SERVICE) -> None:
        """Invisible from now on; one that runs is cancelled first. Raises NotFound."""
        async with self._database.transaction() as connection:
            await read_batch(connection, tenant, batch_id, lock=True)
            await note(connection, actor, "batch.deleted", tenant, batch_id)
            await connection.execute(_REQUEST, {"id": batch_id})

    async def retain(self) -> int:
        """Ask for the erasure of ended batches, and erase files, that their tenants keep no longer; gives the number
        of batches."""
        async with self._database.transaction() as connection:
            old: int = (await connection.execute(_RETAIN)).rowcount
            await connection.execute(_RETAIN_FILES)
        return old

    async def step(self) -> bool:
        """Erase a part of the next batch that may go; whether there was one."""
        async with self._database.transaction() as connection:
            batch = (await connection.execute(_DUE)).first()
            if batch is None:
                return False
            jobs = list((await connection.execute(_SOME_JOBS, {"batch": batch.id, "limit": JOBS_AT_ONCE})).scalars())
            if jobs:
                await erase_jobs(connection, jobs, with_lines=False)
                return True
            await connection.execute(_DELETE_BATCH, {"batch": batch.id})
            files = [file for file in (batch.input_file_id, batch.output_file_id, batch.error_file_id) if file]
            await connection.execute(_DELETE_FILES, {"ids": files})
            await forget(connection, [batch.id, *files])
        return True
