"""Which jobs a worker takes: first how many of each tenant (`domain.fairness`), then the first of its own queue.

The two are separate statements. What other workers take in between is skipped, and left for the next claim; where a
tenant may run so many jobs only, workers claim one after the other, so that they do not run more together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.fairness import Demand, share_out

CLAIMS_LOCK = 0x64656C6963
"""No other program of this database should take the same advisory lock."""

# Each step of the recursion is one look into the index of queued jobs, however many a tenant has. A lease that has run
# out is work again; a tenant at a limit may still have its expired jobs taken over, but begins none.
_DEMANDS = text(
    """
    WITH RECURSIVE queueing (tenant_id) AS (
        SELECT min(tenant_id) FROM jobs WHERE status = 'queued'
        UNION ALL
        SELECT (SELECT min(tenant_id) FROM jobs WHERE status = 'queued' AND tenant_id > queueing.tenant_id)
        FROM queueing WHERE queueing.tenant_id IS NOT NULL
    ), expired AS (
        SELECT tenant_id, count(*) AS number FROM jobs
        WHERE status = 'in_progress' AND lease_expires_at < statement_timestamp() GROUP BY tenant_id
    )
    SELECT tenants.id, tenants.weight, tenants.max_running, coalesce(expired.number, 0) AS expired,
        running.number AS running,
        CASE WHEN coalesce(used.generated_tokens + used.verified_tokens, 0) >= tenants.tokens_per_day
            OR coalesce(used.cost, 0) >= tenants.cost_per_day THEN 0
            ELSE least(queued.number, CASE WHEN tenants.max_running IS NOT NULL
                THEN greatest(0, tenants.max_running - running.number - coalesce(expired.number, 0)) END)
            END AS queued
    FROM (SELECT tenant_id FROM queueing UNION SELECT tenant_id FROM expired) AS waiting
    JOIN tenants ON tenants.id = waiting.tenant_id
    LEFT JOIN expired ON expired.tenant_id = tenants.id
    LEFT JOIN usage_days AS used ON used.tenant_id = tenants.id
        AND used.day = CAST(statement_timestamp() AT TIME ZONE 'UTC' AS date)
    CROSS JOIN LATERAL (
        SELECT count(*) AS number FROM jobs
        WHERE tenant_id = tenants.id AND status = 'in_progress' AND lease_expires_at >= statement_timestamp()
    ) AS running
    CROSS JOIN LATERAL (
        SELECT count(*) AS number FROM (
            SELECT FROM jobs WHERE tenant_id = tenants.id AND status = 'queued' LIMIT :limit
        ) AS first
    ) AS queued
    """
)
_ONE_BY_ONE = text(f"SELECT pg_advisory_xact_lock({CLAIMS_LOCK})")
_TAKE = text(
    """
    WITH planned AS (
        SELECT * FROM unnest(CAST(:tenants AS text[]), CAST(:numbers AS int[]), CAST(:fresh AS int[]),
            CAST(:weights AS float8[])) AS planned (tenant_id, number, fresh, weight)
    ), taken AS (
        SELECT chosen.id, planned.weight FROM planned CROSS JOIN LATERAL (
            SELECT id FROM (
                SELECT * FROM (
                    SELECT id, priority, created_at FROM jobs
                    WHERE status = 'queued' AND tenant_id = planned.tenant_id
                    ORDER BY priority DESC, created_at, id LIMIT planned.fresh FOR UPDATE SKIP LOCKED
                ) AS queued
                UNION ALL SELECT * FROM (
                    SELECT id, priority, created_at FROM jobs
                    WHERE status = 'in_progress' AND tenant_id = planned.tenant_id
                        AND lease_expires_at < statement_timestamp()
                    ORDER BY lease_expires_at LIMIT planned.number FOR UPDATE SKIP LOCKED
                ) AS expired
            ) AS free ORDER BY priority DESC, created_at, id LIMIT planned.number
        ) AS chosen
    )
    UPDATE jobs SET status = :status, fence = fence + 1, lease_owner = :worker,
        lease_expires_at = clock_timestamp() + make_interval(secs => :lease_s),
        started_at = coalesce(started_at, clock_timestamp())
    FROM taken
    WHERE jobs.id = taken.id
    RETURNING jobs.id, jobs.fence, jobs.priority, jobs.created_at, jobs.tenant_id, taken.weight,
        extract(epoch FROM clock_timestamp() - jobs.started_at)::float8 AS started_s,
        extract(epoch FROM jobs.deadline - clock_timestamp())::float8 AS deadline_s
    """
)


async def take_jobs(
    connection: AsyncConnection, worker: str, status: str, limit: int, lease_s: float, reserved: int
) -> Sequence[Row[Any]]:
    """The rows of at most `limit` jobs that are now this worker's, highest priority and oldest first."""
    waiting = await _waiting(connection, limit)
    if any(row.max_running is not None for row in waiting.values()):
        await connection.execute(_ONE_BY_ONE)
        waiting = await _waiting(connection, limit)
    demands = {tenant: Demand(row.weight, row.running, row.queued + row.expired) for tenant, row in waiting.items()}
    plan = share_out(limit, reserved, demands)
    if not plan:
        return []
    values = {
        "tenants": list(plan),
        "numbers": list(plan.values()),
        "fresh": [min(number, waiting[tenant].queued) for tenant, number in plan.items()],
        "weights": [waiting[tenant].weight for tenant in plan],
        "status": status,
        "worker": worker,
        "lease_s": lease_s,
    }
    rows = list(await connection.execute(_TAKE, values))
    return sorted(rows, key=lambda row: (-row.priority, row.created_at, row.id))


async def _waiting(connection: AsyncConnection, limit: int) -> dict[str, Row[Any]]:
    return {row.id: row for row in await connection.execute(_DEMANDS, {"limit": limit})}
