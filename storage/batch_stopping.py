"""The early end of a batch (cancelled, expired, out of budget): waiting lines are answered with the reason, and
jobs that run are asked to stop.

Law: a part at a time, each in a transaction of its own, and each safe to repeat.
"""

from __future__ import annotations

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.batch_lines import LineFault
from domain.verdict import StopReason
from storage.batch_intake import fault_text
from storage.outbox import CANCEL, post
from storage.stopping import stop_job

LINES_AT_ONCE = 5000
JOBS_AT_ONCE = 50
WHY_STOPPED = {
    "cancelled": LineFault("batch_cancelled", "The batch was cancelled before this line was finished."),
    "expired": LineFault("batch_expired", "The batch's completion window ended before this line was finished."),
}

_EXPIRE = text(
    "UPDATE batches SET stopping = 'expired' WHERE id = :batch AND status = 'in_progress' AND stopping IS NULL"
    " AND expires_at <= clock_timestamp() RETURNING id"
)
_END_WAITING = text(
    f"""
    WITH ended AS (
        UPDATE batch_lines AS line SET state = 'ended', ok = false, fault = CAST(:fault AS json)
        FROM (SELECT line FROM batch_lines WHERE batch_id = :batch AND state = 'waiting' ORDER BY line
            LIMIT {LINES_AT_ONCE} FOR UPDATE) AS next
        WHERE line.batch_id = :batch AND line.line = next.line RETURNING line.line
    )
    UPDATE batches SET failed = failed + (SELECT count(*) FROM ended) WHERE id = :batch
    RETURNING (SELECT count(*) FROM ended) AS number
    """
)
_RUNNING = text(
    f"""
    SELECT jobs.id, jobs.started_at FROM batch_lines AS line JOIN jobs ON jobs.id = line.job_id
    WHERE line.batch_id = :batch AND line.state = 'running' AND jobs.status IN ('queued', 'in_progress')
        AND jobs.cancel_requested_at IS NULL
    ORDER BY jobs.id LIMIT {JOBS_AT_ONCE} FOR UPDATE OF jobs
    """
)
_ASK = text("UPDATE jobs SET cancel_requested_at = clock_timestamp() WHERE id = ANY(CAST(:ids AS text[]))")
# A job can be erased while its line runs: by a deleted tenant's purge, or by hand.
_ORPHANS = text(
    """
    WITH ended AS (
        UPDATE batch_lines SET state = 'ended', ok = false, fault = CAST(:fault AS json)
        WHERE batch_id = :batch AND state = 'running' AND job_id IS NULL RETURNING line
    )
    UPDATE batches SET running = running - number, failed = failed + number
    FROM (SELECT count(*) AS number FROM ended) AS counted WHERE id = :batch AND number > 0
    """
)
ERASED = LineFault("job_erased", "The job of this line was erased.")


async def expire(connection: AsyncConnection, batch: RowMapping) -> bool:
    """Whether its window has just ended."""
    return (await connection.execute(_EXPIRE, {"batch": batch["id"]})).first() is not None


async def end_waiting(connection: AsyncConnection, batch: str, fault: LineFault) -> int:
    """Answer the next waiting lines with `fault`; gives their number."""
    values = {"batch": batch, "fault": fault_text(fault)}
    number: int = (await connection.execute(_END_WAITING, values)).scalar_one()
    return number


async def stop_running(connection: AsyncConnection, batch: str) -> int:
    """Ask jobs of the batch to stop; one that was never begun ends at once. Gives their number.

    Takes the jobs' locks before the batch's (see `storage.batch_endings`).
    """
    rows = (await connection.execute(_RUNNING, {"batch": batch})).all()
    if not rows:
        return 0
    await connection.execute(_ASK, {"ids": [row.id for row in rows]})
    status = await connection.execute(
        text("SELECT id FROM jobs WHERE id = ANY(CAST(:ids AS text[])) AND status = 'queued' ORDER BY id"),
        {"ids": [row.id for row in rows if row.started_at is None]},
    )
    never_begun = {row.id for row in status}
    for job in sorted(never_begun):
        await stop_job(connection, job, StopReason.CANCELLED, None, "Cancelled with its batch.")
    await post(connection, CANCEL, [row.id for row in rows if row.id not in never_begun])
    return len(rows)


async def end_orphans(connection: AsyncConnection, batch: str) -> None:
    """Answer running lines whose job is gone."""
    await connection.execute(_ORPHANS, {"batch": batch, "fault": fault_text(ERASED)})
