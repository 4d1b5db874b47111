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
from domain.job import FINAL, JobError, JobStatus, finish
from domain.limits import FREE, Prices
from domain.ports import JobWrite
from domain.verdict import StopReason
from storage.columns import SPEND_COLUMNS
from storage.endings import ENDING_COLUMNS, Ending, end_jobs, ending_of
from storage.json_text import json_text
from storage.stopping import stop_job
from storage.usage import ADD_USAGE, price_values

Rows = Mapping[str, Row[Any]]

_REFUSED = "The progress of this job could not be stored by a defect of ours, which is now in our log."

# In the order of ids, so that two group commits wait for each other and never deadlock.
_LOCK = text(
    f"""
    SELECT id, {ENDING_COLUMNS}, status, fence, clock_timestamp() AS now
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
# Only calls that were not there before are charged to the tenant's day, however often a write is repeated.
_CALLS = text(
    f"""
    WITH charged AS (
        INSERT INTO calls (key, job_id, kind, model, {", ".join(SPEND_COLUMNS)})
        SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:jobs AS text[]), CAST(:kinds AS text[]),
            CAST(:models AS text[]), {_AMOUNTS})
        ON CONFLICT DO NOTHING RETURNING job_id, {", ".join(SPEND_COLUMNS)}
    )
    {ADD_USAGE}
    """
)
_SPEND = text(
    f"""
    UPDATE jobs SET {", ".join(f"{name} = spent.{name}" for name in SPEND_COLUMNS)}
    FROM unnest(CAST(:ids AS text[]), {_AMOUNTS}) AS spent (id, {", ".join(SPEND_COLUMNS)})
    WHERE jobs.id = spent.id
    """
)


async def commit_writes(
    connection: AsyncConnection, writes: Sequence[JobWrite], prices: Prices = FREE
) -> frozenset[JobId]:
    """Store the writes whose fence holds; gives the jobs whose lease is lost (or that do not exist).

    Several writes of one job are allowed (a worker that lost a job and took it again): the later one gives its spend,
    and the job is lost when none of them holds.
    """
    rows = await _lock(connection, [write.job for write in writes])
    held = [write for write in writes if _holds(write, rows)]
    if held:
        await _store(connection, held, rows, prices)
    kept = {write.job for write in writes if _holds(write, rows) or _ended_before(write, rows)}
    return frozenset(write.job for write in writes) - kept


async def end_refused(connection: AsyncConnection, write: JobWrite) -> None:
    """End a job whose write breaks a law of the tables, provided that the write's fence holds."""
    if _holds(write, await _lock(connection, [write.job])):
        error = JobError("internal_error", _REFUSED)
        await stop_job(connection, write.job, StopReason.INTERNAL_ERROR, error, _REFUSED)


async def _lock(connection: AsyncConnection, ids: Sequence[str]) -> Rows:
    return {row.id: row for row in await connection.execute(_LOCK, {"ids": list(ids)})}


def _holds(write: JobWrite, rows: Rows) -> bool:
    row = rows.get(write.job)
    return row is not None and row.status == JobStatus.IN_PROGRESS and row.fence == write.fence


def _ended_before(write: JobWrite, rows: Rows) -> bool:
    """Whether this is the repetition of a finishing write that was stored although its commit reported an error."""
    row = rows.get(write.job)
    return row is not None and write.finish is not None and row.status in FINAL and row.fence == write.fence


async def _store(connection: AsyncConnection, writes: Sequence[JobWrite], rows: Rows, prices: Prices) -> None:
    await _insert_events(connection, writes)
    await _insert_calls(connection, writes, prices)
    spent = {write.job: write.spend for write in writes}
    await connection.execute(_SPEND, {"ids": list(spent), **_columns(list(spent.values()))})
    endings = {write.job: _ending(write, rows[write.job]) for write in writes if write.finish is not None}
    await end_jobs(connection, list(endings.values()), next(iter(rows.values())).now)


async def _insert_events(connection: AsyncConnection, writes: Sequence[JobWrite]) -> None:
    values = {
        "jobs": [write.job for write in writes for _ in write.events],
        "seqs": list(chain.from_iterable(range(w.first_seq, w.first_seq + len(w.events)) for w in writes)),
        "bodies": json_text([event for write in writes for event in write.events]),
    }
    if values["jobs"]:
        await connection.execute(_EVENTS, values)


async def _insert_calls(connection: AsyncConnection, writes: Sequence[JobWrite], prices: Prices) -> None:
    calls = [call for write in writes for call in write.calls]
    values = {
        "keys": [call.key for call in calls],
        "jobs": [write.job for write in writes for _ in write.calls],
        "kinds": [call.kind for call in calls],
        "models": [call.model for call in calls],
        **_columns([call.cost for call in calls]),
        **price_values(prices),
    }
    if calls:
        await connection.execute(_CALLS, values)


def _columns(amounts: Sequence[Spend]) -> dict[str, list[Any]]:
    return {name: [getattr(amount, name) for amount in amounts] for name in SPEND_COLUMNS}


def _ending(write: JobWrite, row: Row[Any]) -> Ending:
    assert write.finish is not None
    finish(JobStatus(row.status), write.finish.status)  # raises IllegalTransition for what is no end
    return ending_of(write.job, row, write.finish)
