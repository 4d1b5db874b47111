"""Numbers for an operator's dashboard, over all tenants."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text

from storage.database import Database
from storage.tables import DELIVERY_STATES

_OUTBOX = text("SELECT count(*) FROM outbox")
_DELIVERIES = text("SELECT state, count(*) AS number FROM webhook_deliveries GROUP BY state")


async def outbox_depth(database: Database) -> int:
    """Rows that no relay has published yet."""
    async with database.transaction() as connection:
        return (await connection.execute(_OUTBOX)).scalar() or 0


async def delivery_counts(database: Database) -> Mapping[str, int]:
    """Webhook deliveries by state; every state is present."""
    async with database.transaction() as connection:
        rows = {row.state: row.number for row in await connection.execute(_DELIVERIES)}
    return {state: rows.get(state, 0) for state in DELIVERY_STATES}
