"""Back-pressure: whether a tenant may have one more job, asked in the transaction that stores it.

Far from the limit on waiting jobs nobody waits for anybody; close to it the tenant's submissions go one by one, so that
the limit holds however many processes take them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import LimitReached
from domain.ids import TenantId

CLOSE = 64
"""Submissions of one tenant that may be under way at once, unseen by each other."""
QUEUE_RETRY_S = 5.0

# The count reads no more rows than the limit has, and none without a limit.
_READ = text(
    """
    SELECT max_queued, tokens_per_day, cost_per_day,
        CASE WHEN max_queued IS NULL THEN 0 ELSE (SELECT count(*) FROM (
            SELECT FROM jobs WHERE tenant_id = :tenant AND status = 'queued' LIMIT tenants.max_queued
        ) AS waiting) END AS queued,
        coalesce(used.generated_tokens + used.verified_tokens, 0) AS tokens,
        coalesce(used.cost, 0)::float8 AS cost,
        extract(epoch FROM date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') + interval '1 day'
            - clock_timestamp() AT TIME ZONE 'UTC')::float8 AS day_left_s
    FROM tenants LEFT JOIN usage_days AS used ON used.tenant_id = tenants.id
        AND used.day = CAST(clock_timestamp() AT TIME ZONE 'UTC' AS date)
    WHERE tenants.id = :tenant
    """
)
_ONE_BY_ONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:tenant, 7))")


async def admit(connection: AsyncConnection, tenant: TenantId) -> None:
    """Raises LimitReached with the time after which trying again may help."""
    row = (await connection.execute(_READ, {"tenant": tenant})).first()
    if row is None:
        return  # the insertion refuses a tenant that is not there
    if row.max_queued is not None and row.queued >= row.max_queued - CLOSE:
        await connection.execute(_ONE_BY_ONE, {"tenant": tenant})
        row = (await connection.execute(_READ, {"tenant": tenant})).one()
    _check(row)


async def room_for_lines(connection: AsyncConnection, tenant: TenantId, most: int) -> int:
    """How many lines of batches may become jobs now, at most `most`; they wait where a single job would be refused.

    They fill half of the limit on waiting jobs, so that the tenant's single jobs are not refused for them.
    """
    row = (await connection.execute(_READ, {"tenant": tenant})).first()
    if row is None:
        return 0
    room = most if row.max_queued is None else min(most, row.max_queued // 2 - row.queued)
    try:
        _check(row)
    except LimitReached:
        return 0
    return max(0, room)


def _check(row: Row[Any]) -> None:
    if row.max_queued is not None and row.queued >= row.max_queued:
        raise LimitReached(
            f"this tenant has its limit of {row.max_queued} waiting jobs: send more when some have begun",
            code="queue_full",
            retry_after_s=QUEUE_RETRY_S,
        )
    if row.tokens_per_day is not None and row.tokens >= row.tokens_per_day:
        raise _quota(f"{row.tokens_per_day} tokens", row.day_left_s)
    if row.cost_per_day is not None and row.cost >= row.cost_per_day:
        raise _quota(f"{row.cost_per_day:g} (money)", row.day_left_s)


def _quota(what: str, day_left_s: float) -> LimitReached:
    return LimitReached(
        f"this tenant has used its {what} of today: they are renewed at midnight UTC",
        code="quota_exceeded",
        retry_after_s=day_left_s,
    )
