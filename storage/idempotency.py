"""Idempotency keys: within 24 hours a tenant's key belongs to one request and gives one job.

Law: who inserts the row owns the key. A second request waits on the row until the first has committed, so two requests
at the same time make one job.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import IdempotencyConflict
from domain.ids import JobId
from domain.ports import NewJob
from storage.database import Database

KEPT_HOURS = 24

_TAKE = text(
    f"""
    INSERT INTO idempotency_keys AS kept (tenant_id, key, request_hash, job_id, expires_at)
    VALUES (:tenant, :key, :hash, :job, clock_timestamp() + interval '{KEPT_HOURS} hours')
    ON CONFLICT (tenant_id, key) DO UPDATE
    SET request_hash = excluded.request_hash, job_id = excluded.job_id, created_at = excluded.created_at,
        expires_at = excluded.expires_at
    WHERE kept.expires_at <= clock_timestamp()
    RETURNING job_id
    """
)
_READ = text("SELECT job_id, request_hash FROM idempotency_keys WHERE tenant_id = :tenant AND key = :key")
_PURGE = text("DELETE FROM idempotency_keys WHERE expires_at <= clock_timestamp()")


async def take_key(connection: AsyncConnection, job: NewJob) -> JobId | None:
    """None when the key is now this job's; the earlier job's id when the same request was made before.

    Raises IdempotencyConflict when the key belongs to another request.
    """
    values = {"tenant": job.tenant, "key": job.idempotency_key, "hash": job.request_hash or "", "job": job.id}
    while True:
        if (await connection.execute(_TAKE, values)).first() is not None:
            return None
        earlier = (await connection.execute(_READ, values)).first()
        if earlier is None:
            continue  # purged between the two statements: the key is free
        if earlier.request_hash != values["hash"]:
            raise IdempotencyConflict(
                "this Idempotency-Key was used before with another body: send a new key", param="Idempotency-Key"
            )
        return JobId(earlier.job_id)


async def purge_keys(database: Database) -> int:
    """Delete the keys that have expired (for the sweeper); gives their number."""
    async with database.transaction() as connection:
        return (await connection.execute(_PURGE)).rowcount
