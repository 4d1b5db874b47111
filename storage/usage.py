"""What each tenant used on each UTC day. It is counted with the calls that it is the sum of, in their transaction, and
stays when the jobs are erased. Money is counted at the prices of the moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from domain.budget import Spend
from domain.limits import Prices
from storage.columns import SPEND_COLUMNS
from storage.database import Database
from storage.tables import tenants, usage_days

# Tenants in the order of their ids, so that two group commits wait for each other and never deadlock.
ADD_USAGE = f"""
    INSERT INTO usage_days AS day (tenant_id, day, calls, cost, {", ".join(SPEND_COLUMNS)})
    SELECT jobs.tenant_id, CAST(clock_timestamp() AT TIME ZONE 'UTC' AS date), count(*),
        sum(((CAST(:prompt AS float8) * charged.prompt_tokens + CAST(:generated AS float8) * charged.generated_tokens
            + CAST(:verified AS float8) * charged.verified_tokens) / 1e6
            + CAST(:exaflop AS float8) * charged.flops / 1e18)::numeric),
        {", ".join(f"sum(charged.{name})" for name in SPEND_COLUMNS)}
    FROM charged JOIN jobs ON jobs.id = charged.job_id
    GROUP BY jobs.tenant_id ORDER BY jobs.tenant_id
    ON CONFLICT (tenant_id, day) DO UPDATE SET calls = day.calls + excluded.calls, cost = day.cost + excluded.cost,
        {", ".join(f"{name} = day.{name} + excluded.{name}" for name in SPEND_COLUMNS)}
    """
"""The rest of a statement whose `charged` are the amounts of new calls by `job_id`; see `price_values`."""


def price_values(prices: Prices) -> dict[str, float]:
    """The parameters of `ADD_USAGE`."""
    return {
        "prompt": prices.prompt,
        "generated": prices.generated,
        "verified": prices.verified,
        "exaflop": prices.exaflop,
    }


@dataclass(frozen=True, slots=True)
class DayOfUse:
    tenant: str
    name: str | None
    """None: the tenant is gone."""
    day: date
    calls: int
    cost: float
    spend: Spend


class Usage:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def days(self, *, tenant: str | None = None, since: date | None = None) -> list[DayOfUse]:
        """From the day `since` on, oldest first; of all tenants when none is named."""
        amounts = [usage_days.c[name] for name in SPEND_COLUMNS]
        query = (
            select(usage_days.c.tenant_id, tenants.c.name, usage_days.c.day, usage_days.c.calls, usage_days.c.cost)
            .add_columns(*amounts)
            .outerjoin(tenants, tenants.c.id == usage_days.c.tenant_id)
            .order_by(usage_days.c.day, usage_days.c.tenant_id)
        )
        if tenant is not None:
            query = query.where(usage_days.c.tenant_id == tenant)
        if since is not None:
            query = query.where(usage_days.c.day >= since)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        return [DayOfUse(row[0], row[1], row[2], row[3], float(row[4]), Spend(*row[5:])) for row in rows]
