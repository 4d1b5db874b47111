"""How fast a tenant's jobs end: one small query, remembered for seconds, since many ask and it changes slowly."""

from __future__ import annotations

import time

from sqlalchemy import text

from domain.estimating import Pace
from domain.ids import TenantId
from storage.database import Database

REMEMBERED_S = 5.0
MOST_REMEMBERED = 10_000
NONE = Pace(0, 0.0, 0.0)
SAMPLE = 200
WINDOW_MIN = 30
"""Ends longer ago say nothing about now."""

_PACE = text(
    f"""
    SELECT count(*) AS ended,
        coalesce(extract(epoch FROM clock_timestamp() - min(ended_at)), 0)::float8 AS window_s,
        coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)), 0)::float8
            AS run_s
    FROM (
        SELECT ended_at, started_at FROM jobs
        WHERE tenant_id = :tenant AND ended_at > statement_timestamp() - interval '{WINDOW_MIN} minutes'
            AND started_at IS NOT NULL
        ORDER BY ended_at DESC LIMIT {SAMPLE}
    ) AS latest
    """
)


class PaceKeeper:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[TenantId, tuple[Pace, float]] = {}

    async def pace(self, tenant: TenantId) -> Pace:
        """Of the tenant's latest jobs: others' are claimed by their own shares. Raises Unavailable."""
        pace, until = self._known.get(tenant, (NONE, 0.0))
        if time.monotonic() >= until:
            # Said before it is asked, so that many callers at once ask once.
            self._remember(tenant, pace)
            async with self._database.statement() as connection:
                row = (await connection.execute(_PACE, {"tenant": tenant})).one()
            pace = Pace(row.ended, row.window_s, row.run_s)
            self._remember(tenant, pace)
        return pace

    def _remember(self, tenant: TenantId, pace: Pace) -> None:
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[tenant] = (pace, time.monotonic() + REMEMBERED_S)
