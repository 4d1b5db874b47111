"""Batches as their users see them: create, read, list, cancel, pause. Every query is scoped by tenant.

An id that is malformed, unknown or another tenant's gives one and the same NotFound. Control does the work (see
`storage.batch_intake` and its neighbours).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, Select, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.attempt import Attempt
from domain.batch import FINAL_BATCH, MAX_LINES, BatchRequest, BatchStatus, OnInvalidLine
from domain.budget import Budget, Spend
from domain.errors import InvalidRequest, NotFound
from domain.ids import TenantId, is_id
from storage.audit import SERVICE, note
from storage.columns import SPEND_COLUMNS
from storage.database import Database
from storage.files import INPUT_PURPOSE, read_file
from storage.fresh_ids import fresh_id
from storage.idempotency import take
from storage.tables import batches

KIND = "batch"
"""What an idempotency key that led to a batch leads to."""
MAX_PAGE = 100
NOT_ERASED = batches.c.erase_requested_at.is_(None)
MOST_ERRORS = 1000
"""Errors that a batch lists; the error file has all of them."""
TIMES = (
    "created_at", "expires_at", "in_progress_at", "finalizing_at", "completed_at", "failed_at", "expired_at",
    "cancelling_at", "cancelled_at",
)  # fmt: skip
_ERRORS = text(
    f"SELECT line, fault FROM batch_lines WHERE batch_id = :id AND invalid ORDER BY line LIMIT {MOST_ERRORS}"
)
_CANCEL = text(
    "UPDATE batches SET status = 'cancelling', stopping = 'cancelled', cancelling_at = clock_timestamp()"
    " WHERE id = :id AND status IN ('validating', 'in_progress') AND stopping IS NULL"
)
_PAUSE = text(
    "UPDATE batches SET paused_at = coalesce(paused_at, clock_timestamp())"
    " WHERE id = :id AND status IN ('validating', 'in_progress')"
)
_RESUME = text("UPDATE batches SET paused_at = NULL WHERE id = :id")


@dataclass(frozen=True, slots=True)
class LineError:
    code: str
    message: str
    param: str | None
    line: int | None


@dataclass(frozen=True, slots=True)
class BatchRecord:
    id: str
    tenant: TenantId
    endpoint: str
    status: BatchStatus
    completion_window: str
    input_file: str
    output_file: str | None
    error_file: str | None
    on_invalid_line: OnInvalidLine
    metadata: dict[str, str] = field(repr=False)
    defaults: dict[str, Any]
    priority: int
    budget: Budget
    spend: Spend
    total: int
    running: int
    completed: int
    failed: int
    written: int
    invalid: int
    """Lines that could not be run."""
    read_bytes: int
    """Of the input file, so far."""
    paused: bool
    times: Mapping[str, datetime | None]
    """By column, e.g. `created_at`."""
    read_at: datetime
    """The database's clock when this was read."""
    fault: dict[str, Any] | None
    """Why the whole batch failed."""

    @property
    def waiting(self) -> int:
        return self.total - self.completed - self.failed - self.running

    @property
    def final(self) -> bool:
        return self.status in FINAL_BATCH

    @property
    def active_s(self) -> float:
        """Seconds since its lines began to run, until its end or until now."""
        begun = self.times["in_progress_at"]
        ends = [self.times[name] for name in ("completed_at", "expired_at", "cancelled_at", "failed_at")]
        until = next((end for end in ends if end is not None), self.read_at)
        return 0.0 if begun is None else max(0.0, (until - begun).total_seconds())


class Batches:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, tenant: TenantId, request: BatchRequest, attempt: Attempt | None = None
    ) -> tuple[BatchRecord, bool]:
        """True: an earlier attempt had made it. Raises NotFound for the file, InvalidRequest for one that can't be a
        batch's, IdempotencyConflict and RequestInFlight."""
        batch_id = fresh_id("batch")
        async with self._database.transaction() as connection:
            earlier = None if attempt is None else await take(connection, attempt, KIND, batch_id)
            if earlier is None:
                await create_batch(connection, tenant, request, batch_id)
            return batch_record(await read_batch(connection, tenant, earlier or batch_id)), earlier is not None

    async def get(self, tenant: TenantId, batch_id: str) -> BatchRecord:
        """Raises NotFound."""
        async with self._database.transaction() as connection:
            return batch_record(await read_batch(connection, tenant, batch_id))

    async def errors(self, batch: BatchRecord) -> list[LineError]:
        """What was wrong with its lines, in order (the first 1,000), and with the whole."""
        if not batch.invalid and batch.fault is None:
            return []
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_ERRORS, {"id": batch.id})).all()
        whole = [] if batch.fault is None else [_error(batch.fault, None)]
        return [*whole, *(_error(row.fault, row.line) for row in rows)]

    async def page(
        self, tenant: TenantId, *, after: str | None = None, limit: int = 20
    ) -> tuple[list[BatchRecord], bool]:
        """At most `limit` (≤ 100) batches, newest first, beyond the batch `after`; and whether there are more."""
        if after is not None and not is_id("batch", after):
            raise InvalidRequest("after must be the id of a batch of the page before", param="after")
        limit = max(1, min(limit, MAX_PAGE))
        query = _select().where(batches.c.tenant_id == tenant, NOT_ERASED)
        query = query.order_by(batches.c.id.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(batches.c.id < after)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [batch_record(row) for row in rows[:limit]], len(rows) > limit

    async def cancel(self, tenant: TenantId, batch_id: str, actor: str = SERVICE) -> BatchRecord:
        """Nothing new is started, what runs is stopped, what is finished is kept. An ended one stays as it is."""
        return await self._change(tenant, batch_id, _CANCEL, actor)

    async def pause(self, tenant: TenantId, batch_id: str) -> BatchRecord:
        """Nothing new is started; what runs goes on to its end."""
        return await self._change(tenant, batch_id, _PAUSE)

    async def resume(self, tenant: TenantId, batch_id: str) -> BatchRecord:
        return await self._change(tenant, batch_id, _RESUME)

    async def _change(
        self, tenant: TenantId, batch_id: str, statement: Any, cancelled_by: str | None = None
    ) -> BatchRecord:
        async with self._database.transaction() as connection:
            await read_batch(connection, tenant, batch_id, lock=True)
            changed = await connection.execute(statement, {"id": batch_id})
            if cancelled_by is not None and changed.rowcount:
                await note(connection, cancelled_by, "batch.cancelled", tenant, batch_id)
            return batch_record(await read_batch(connection, tenant, batch_id))


async def create_batch(connection: AsyncConnection, tenant: TenantId, request: BatchRequest, batch_id: str) -> None:
    """A new batch; its lines are read later. Raises NotFound, InvalidRequest."""
    file = await read_file(connection, tenant, request.input_file)
    if file.purpose != INPUT_PURPOSE:
        raise InvalidRequest(
            f"the file's purpose is {file.purpose!r}: upload it with purpose 'batch'", param="input_file_id"
        )
    if file.lines > MAX_LINES:
        raise InvalidRequest(
            f"the file has {file.lines} lines; a batch takes {MAX_LINES}: split it", param="input_file_id"
        )
    now = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    values = {
        "id": batch_id,
        "tenant_id": tenant,
        "endpoint": request.endpoint,
        "completion_window": request.completion_window,
        "input_file_id": request.input_file,
        "output_expires_s": request.output_expires_s,
        "on_invalid_line": request.on_invalid_line.value,
        "metadata": request.metadata,
        "defaults": request.defaults,
        "seed": secrets.randbits(63),
        "priority": request.priority,
        "budget_tokens": request.budget.tokens,
        "budget_flops": request.budget.flops,
        "budget_rollouts": request.budget.rollouts,
        "created_at": now,
        "expires_at": now + timedelta(seconds=request.window_s),
    }
    await connection.execute(insert(batches).values(values))


async def read_batch(connection: AsyncConnection, tenant: TenantId, batch_id: str, *, lock: bool = False) -> RowMapping:
    """Raises NotFound."""
    if is_id("batch", batch_id):
        query = _select().where(batches.c.id == batch_id, batches.c.tenant_id == tenant, NOT_ERASED)
        found = await connection.execute(query.with_for_update() if lock else query)
        row: RowMapping | None = found.mappings().first()
        if row is not None:
            return row
    raise NotFound("no such batch: check its id")


def _select() -> Select[Any]:
    return select(batches, func.clock_timestamp().label("read_at"))


def batch_record(row: RowMapping) -> BatchRecord:
    return BatchRecord(
        id=row["id"],
        tenant=TenantId(row["tenant_id"]),
        endpoint=row["endpoint"],
        status=BatchStatus(row["status"]),
        completion_window=row["completion_window"],
        input_file=row["input_file_id"],
        output_file=row["output_file_id"],
        error_file=row["error_file_id"],
        on_invalid_line=OnInvalidLine(row["on_invalid_line"]),
        metadata=row["metadata"],
        defaults=row["defaults"],
        priority=row["priority"],
        budget=Budget(row["budget_tokens"], row["budget_flops"], row["budget_rollouts"]),
        spend=Spend(*(row[name] for name in SPEND_COLUMNS)),
        total=row["total"],
        running=row["running"],
        completed=row["completed"],
        failed=row["failed"],
        written=row["written"],
        invalid=row["invalid"],
        read_bytes=row["read_bytes"],
        paused=row["paused_at"] is not None,
        times={name: row[name] for name in TIMES},
        read_at=row["read_at"],
        fault=row["fault"],
    )


def _error(fault: Mapping[str, Any], line: int | None) -> LineError:
    return LineError(fault["code"], fault["message"], fault.get("param"), line)
