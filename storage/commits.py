"""Group commit: the progress of many jobs in one transaction and a handful of statements, whatever their number.

Laws:
* A write counts only while its fence holds: the job's row is locked and read first. A zombie's write changes nothing.
* The same write twice has the effect of once: events are unique by (job, seq), calls by their key, and a job that ended
  under this fence is left as it is.
* `JobWrite.spend` is the running total that the orchestrator folded from its events, so a call that was stored before
  under the same key is never added a second time here: nothing is added here at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.budget import Spend
from domain.ids import JobId
from domain.job import FINAL, JobStatus, finish
from domain.ports import JobWrite
from storage.endings import Ending, end_jobs
from storage.json_text import json_text
from storage.tables import SPEND_COLUMNS

Rows = Mapping[str, Row[Any]]

# In the order of ids, so that two group commits wait for each other and never deadlock.
_LOCK = text(
    """
    SELECT id, tenant_id, status, fence, webhook_url, metadata, clock_timestamp() AS now
    FROM jobs WHERE id = ANY(CAST(:ids AS text[])) ORDER BY id FOR UPDATE
    """
)
# The bodies travel as one JSON array: an array of texts would have every quote in them escaped once more.
_EVENTS = text(
    """
    INSERT INTO events (job_id, seq, body)
    SELECT * FROM ROWS FROM (
        unnest(CAST(:jobs AS text[]), CAST(:seqs AS int[])), json_array_elements(CAST(:bodies AS json))
    )
    ON CONFLICT DO NOTHING
    """
)
_AMOUNTS = ", ".join(
    f"CAST(:{name} AS {'float8' if name == 'flops' else 'bigint'}[])" for name in SPEND_COLUMNS
)  # fmt: skip
_CALLS = text(
    f"""
    INSERT INTO calls (key, job_id, kind, model, {", ".join(SPEND_COLUMNS)})
    SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:jobs AS text[]), CAST(:kinds AS text[]), CAST(:models AS text[]),
        {_AMOUNTS})
    ON CONFLICT DO NOTHING
    """
)
_SPEND = text(
    f"""
    UPDATE jobs SET {", ".join(f"{name} = spent.{name}" for name in SPEND_COLUMNS)}
    FROM unnest(CAST(:ids AS text[]), {_AMOUNTS}) AS spent (id, {", ".join(SPEND_COLUMNS)})
    WHERE jobs.id = spent.id
    """
)


async def commit_writes(connection: AsyncConnection, writes: Sequence[JobWrite]) -> frozenset[JobId]:
    """Store the writes whose fence holds; gives the jobs whose lease is lost (or that do not exist)."""
    if len({write.job for write in writes}) != len(writes):
        raise ValueError("a group commit takes one write for each job")
    rows = await _lock(connection, [write.job for write in writes])
    held = [write for write in writes if _holds(write, rows)]
    lost = {write.job for write in writes if not _holds(write, rows) and not _ended_before(write, rows)}
    if held:
        await _store(connection, held, rows)
    return frozenset(lost)


async def _lock(connection: AsyncConnection, ids: Sequence[str]) -> Rows:
    return {row.id: row for row in await connection.execute(_LOCK, {"ids": list(ids)})}


def _holds(write: JobWrite, rows: Rows) -> bool:
    row = rows.get(write.job)
    return row is not None and row.status == JobStatus.IN_PROGRESS and row.fence == write.fence


def _ended_before(write: JobWrite, rows: Rows) -> bool:
    """Whether this is the repetition of a finishing write that was stored although its commit reported an error."""
    row = rows.get(write.job)
    return row is not None and write.finish is not None and row.status in FINAL and row.fence == write.fence


async def _store(connection: AsyncConnection, writes: Sequence[JobWrite], rows: Rows) -> None:
    await _insert_events(connection, writes)
    await _insert_calls(connection, writes)
    await connection.execute(_SPEND, {"ids": [write.job for write in writes], **_columns([w.spend for w in writes])})
    endings = [_ending(write, rows[write.job]) for write in writes if write.finish is not None]
    await end_jobs(connection, endings, next(iter(rows.values())).now)


async def _insert_events(connection: AsyncConnection, writes: Sequence[JobWrite]) -> None:
    values = {
        "jobs": [write.job for write in writes for _ in write.events],
        "seqs": list(chain.from_iterable(range(w.first_seq, w.first_seq + len(w.events)) for w in writes)),
        "bodies": json_text([event for write in writes for event in write.events]),
    }
    if values["jobs"]:
        await connection.execute(_EVENTS, values)


async def _insert_calls(connection: AsyncConnection, writes: Sequence[JobWrite]) -> None:
    calls = [call for write in writes for call in write.calls]
    values = {
        "keys": [call.key for call in calls],
        "jobs": [write.job for write in writes for _ in write.calls],
        "kinds": [call.kind for call in calls],
        "models": [call.model for call in calls],
        **_columns([call.cost for call in calls]),
    }
    if calls:
        await connection.execute(_CALLS, values)


def _columns(amounts: Sequence[Spend]) -> dict[str, list[Any]]:
    return {name: [getattr(amount, name) for amount in amounts] for name in SPEND_COLUMNS}


def _ending(write: JobWrite, row: Row[Any]) -> Ending:
    assert write.finish is not None
    finish(JobStatus(row.status), write.finish.status)  # raises IllegalTransition for what is no end
    return Ending(write.job, row.tenant_id, row.webhook_url, row.metadata, write.finish)
