"""Starting lines: the next ones in the file's order become jobs, as many as the window and the budget have room for.

Laws: the jobs, the lines' links to them and the batch's counters are stored together; nobody else starts lines of this
batch meanwhile (the caller holds its advisory lock), so that what is read of the pool can only have grown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.batch_lines import Line, LineFault, read_line
from domain.budget import Budget, Spend
from domain.dialects import Dialects
from domain.ids import JobId, TenantId, derive_seed
from domain.ports import NewJob
from domain.webhook_events import Announces
from search.sharing import UNITS, Grant, Pool, grant, room
from storage.admission import room_for_lines
from storage.batch_intake import NO_FILE, Stopped, fault_text
from storage.batch_source import texts, within_reach
from storage.columns import SPEND_COLUMNS
from storage.fresh_ids import fresh_id
from storage.submission import submit_many

EXHAUSTED = LineFault("batch_budget_exhausted", "The batch's budget was spent before this line could run.")

_NEXT = text(
    "SELECT line, custom_id, start, bytes FROM batch_lines WHERE batch_id = :batch AND state = 'waiting'"
    " ORDER BY line LIMIT :limit"
)
_LINK = text(
    """
    UPDATE batch_lines AS line SET state = 'running', job_id = fresh.job
    FROM unnest(CAST(:lines AS int[]), CAST(:jobs AS text[])) AS fresh (line, job)
    WHERE line.batch_id = :batch AND line.line = fresh.line
    """
)
_REFUSE = text(
    """
    UPDATE batch_lines AS line SET state = 'ended', ok = false, fault = CAST(bad.fault AS json), invalid = true
    FROM unnest(CAST(:lines AS int[]), CAST(:faults AS text[])) AS bad (line, fault)
    WHERE line.batch_id = :batch AND line.line = bad.line
    """
)
_COUNT = text(
    f"""
    UPDATE batches SET running = running + :started, failed = failed + :refused, invalid = invalid + :refused,
        {", ".join(f"reserved_{unit} = reserved_{unit} + :{unit}" for unit in UNITS)}
    WHERE id = :batch AND status = 'in_progress' AND stopping IS NULL AND paused_at IS NULL
    RETURNING id
    """
)


@dataclass(frozen=True, slots=True)
class Started:
    lines: int
    dry: bool = False
    """The budget has room for no further line, now or ever, as nothing runs that could leave something."""


async def start_lines(connection: AsyncConnection, batch: RowMapping, dialects: Dialects, window: int) -> Started:
    """Raises Stopped. `window`: most lines that run at once."""
    most = room(pool_of(dict(batch)), window)
    if most > 0:
        most = await room_for_lines(connection, TenantId(batch["tenant_id"]), most)
    if most == 0:
        return Started(0)
    rows = (await connection.execute(_NEXT, {"batch": batch["id"], "limit": most})).all()
    if not rows:
        return Started(0)
    rows = list(within_reach(rows))
    lines = await _read(connection, batch, dialects, rows)
    jobs, refused, pool = _plan(batch, lines)
    if not jobs and not refused:
        return Started(0, dry=pool.running == 0)
    await submit_many(connection, [job for _, job in jobs])
    await _link(connection, batch["id"], jobs, refused)
    await _count(connection, batch, pool, len(jobs), len(refused))
    return Started(len(jobs) + len(refused))


async def _read(
    connection: AsyncConnection, batch: RowMapping, dialects: Dialects, rows: Sequence[Row[Any]]
) -> list[tuple[int, Line | LineFault]]:
    read = await texts(connection, batch["input_file_id"], rows)
    return [
        (row.line, NO_FILE if raw is None else _parse(batch, dialects, row.line, raw))
        for row, raw in zip(rows, read, strict=True)
    ]


def _parse(batch: RowMapping, dialects: Dialects, line: int, raw: bytes) -> Line | LineFault:
    return read_line(raw.rstrip(b"\r"), line, batch["endpoint"], batch["defaults"], dialects)


def _plan(
    batch: RowMapping, lines: Sequence[tuple[int, Line | LineFault]]
) -> tuple[list[tuple[int, NewJob]], list[tuple[int, LineFault]], Pool]:
    jobs: list[tuple[int, NewJob]] = []
    refused: list[tuple[int, LineFault]] = []
    pool = pool_of(dict(batch))
    for number, line in lines:
        if isinstance(line, LineFault):
            refused.append((number, line))
            continue
        given = grant(pool, line.request.budget, line.request.strategy)
        if given is None:
            break
        pool, granted = given
        jobs.append((number, _job(batch, number, line, granted)))
    return jobs, refused, pool


def pool_of(batch: Mapping[str, Any]) -> Pool:
    """The budget of a batch's row."""
    waiting = batch["total"] - batch["completed"] - batch["failed"] - batch["running"]
    return Pool(
        budget=Budget(*(batch[f"budget_{unit}"] for unit in UNITS)),
        spent=Spend(*(batch[name] for name in SPEND_COLUMNS)),
        reserved=Budget(*(batch[f"reserved_{unit}"] for unit in UNITS)),
        ended=batch["ran"],
        running=batch["running"],
        waiting=waiting,
        paid=math.exp(batch["log_prices"] / batch["priced"]) if batch["priced"] else None,
    )


def _job(batch: RowMapping, number: int, line: Line, granted: Grant) -> NewJob:
    request = line.request
    return NewJob(
        id=JobId(fresh_id("job")),
        tenant=TenantId(batch["tenant_id"]),
        problem=request.problem,
        strategy=granted.strategy,
        budget=granted.budget,
        confidence=request.confidence,
        # The same line of the same batch is searched the same way, whoever starts it.
        seed=derive_seed(batch["seed"], number) if request.seed is None else request.seed,
        priority=batch["priority"],
        webhook_url=None,
        metadata=request.metadata,
        announces=Announces.BATCH,
        labels=(batch["id"],),
    )


async def _link(
    connection: AsyncConnection,
    batch: str,
    jobs: Sequence[tuple[int, NewJob]],
    refused: Sequence[tuple[int, LineFault]],
) -> None:
    if jobs:
        values = {"lines": [line for line, _ in jobs], "jobs": [job.id for _, job in jobs]}
        await connection.execute(_LINK, {"batch": batch, **values})
    if refused:
        faults = {"lines": [line for line, _ in refused], "faults": [fault_text(fault) for _, fault in refused]}
        await connection.execute(_REFUSE, {"batch": batch, **faults})


async def _count(connection: AsyncConnection, batch: RowMapping, pool: Pool, started: int, refused: int) -> None:
    held = {
        unit: (getattr(pool.reserved, unit) or 0) - batch[f"reserved_{unit}"]
        if batch[f"budget_{unit}"] is not None else 0
        for unit in UNITS
    }  # fmt: skip
    values = {"batch": batch["id"], "started": started, "refused": refused, **held}
    if (await connection.execute(_COUNT, values)).first() is None:
        raise Stopped
