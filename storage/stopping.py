"""Ending one job without an orchestrator: last event, final state, webhook delivery and outbox row."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.budget import Spend
from domain.events import JobStopped
from domain.job import JobError
from domain.ports import Finish
from domain.verdict import StopReason, Verdict, status_after
from storage.columns import SPEND_COLUMNS
from storage.endings import ENDING_COLUMNS, end_jobs, ending_of
from storage.json_text import json_text

_READ = text(
    f"""
    SELECT {ENDING_COLUMNS}, clock_timestamp() AS now, {", ".join(SPEND_COLUMNS)},
        (SELECT coalesce(max(seq), -1) + 1 FROM events WHERE job_id = jobs.id) AS next_seq
    FROM jobs WHERE id = :id
    """
)
_APPEND = text("INSERT INTO events (job_id, seq, body) VALUES (:id, :seq, CAST(:body AS json))")


async def stop_job(connection: AsyncConnection, job: str, reason: StopReason, error: JobError | None, why: str) -> None:
    """End a job without an answer. The caller holds the row's lock and has seen that the job may end."""
    row = (await connection.execute(_READ, {"id": job})).one()
    verdict = Verdict(answer=None, confidence=0.0, solution=None, why=why)
    status = status_after(reason)
    spend = Spend(*(getattr(row, name) for name in SPEND_COLUMNS))
    event = JobStopped(status, reason, verdict, spend, None if error is None else error.message)
    await connection.execute(_APPEND, {"id": job, "seq": row.next_seq, "body": json_text(event)})
    finish = Finish(status, reason, verdict, error)
    await end_jobs(connection, [ending_of(job, row, finish)], row.now)
