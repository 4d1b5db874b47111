"""Results in the order of the file, as far as there are any; read from the lines and their jobs, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, text

from domain.ids import TenantId
from storage.batch_stopping import ERASED
from storage.batches import read_batch
from storage.database import Database

MAX_PAGE = 1000

# The answer is taken out of the JSON here: Postgres refuses to, where a model wrote NUL or half of a surrogate pair.
_RESULTS = text(
    """
    SELECT line.line, line.custom_id, line.job_id, line.fault, line.invalid, jobs.status, jobs.verdict, jobs.confidence,
        jobs.stop_reason, jobs.generated_tokens, jobs.verified_tokens, jobs.flops, jobs.rollouts, jobs.error
    FROM batch_lines AS line LEFT JOIN jobs ON jobs.id = line.job_id
    WHERE line.batch_id = :batch AND line.line > :after AND line.ok IS NOT NULL ORDER BY line.line LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True)
class LineResult:
    """One ended line; what a user or a model wrote stays out of the repr."""

    line: int
    custom_id: str | None = field(repr=False)
    job_id: str | None
    status: str
    """The job's final state; `invalid`, `cancelled` or `erased` where there is no job."""
    answer: str | None = field(repr=False)
    confidence: float | None
    stop_reason: str | None
    generated_tokens: int | None
    verified_tokens: int | None
    flops: float | None
    rollouts: int | None
    error_code: str | None
    error: str | None = field(repr=False)


class BatchResults:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant: TenantId, batch_id: str, *, after: int = 0, limit: int = MAX_PAGE
    ) -> tuple[list[LineResult], bool]:
        """At most `limit` (≤ 1000) ended lines beyond line `after`, and whether there are more. Raises NotFound."""
        limit = max(1, min(limit, MAX_PAGE))
        async with self._database.transaction() as connection:
            await read_batch(connection, tenant, batch_id)
            values = {"batch": batch_id, "after": after, "limit": limit + 1}
            rows = (await connection.execute(_RESULTS, values)).all()
        return [_result(row) for row in rows[:limit]], len(rows) > limit


def _result(row: Row[Any]) -> LineResult:
    error = row.fault or row.error or {}
    return LineResult(
        line=row.line,
        custom_id=row.custom_id,
        job_id=row.job_id,
        status=_status(row),
        answer=(row.verdict or {}).get("answer"),
        confidence=row.confidence,
        stop_reason=row.stop_reason,
        generated_tokens=row.generated_tokens,
        verified_tokens=row.verified_tokens,
        flops=row.flops,
        rollouts=row.rollouts,
        error_code=error.get("code"),
        error=error.get("message"),
    )


def _status(row: Row[Any]) -> str:
    if row.job_id is not None:
        return str(row.status)
    if row.invalid:
        return "invalid"
    return "erased" if (row.fault or {}).get("code") in (None, ERASED.code) else "cancelled"
