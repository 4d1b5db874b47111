"""When an endpoint is switched off: it says that it is gone, or nothing has reached it for days.

Law: one success is enough to begin anew; what was still to be sent to a disabled endpoint is dead and can be replayed.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

FAILING_DAYS = 5
"""An endpoint that has failed for so long, without one success in between, is disabled."""
GONE = 410

_WORKED = text("UPDATE webhook_endpoints SET failing_since = NULL WHERE id = :id AND failing_since IS NOT NULL")
_FAILED = text(
    f"""
    UPDATE webhook_endpoints AS endpoint SET
        failing_since = coalesce(failing_since, clock_timestamp()),
        disabled_at = CASE WHEN verdict.reason IS NULL THEN disabled_at ELSE clock_timestamp() END,
        disabled_reason = coalesce(verdict.reason, disabled_reason)
    FROM (
        SELECT id, CASE WHEN disabled_at IS NOT NULL THEN NULL WHEN CAST(:gone AS boolean) THEN 'gone'
            WHEN failing_since <= clock_timestamp() - interval '{FAILING_DAYS} days' THEN 'failing' END AS reason
        FROM webhook_endpoints WHERE id = :id FOR UPDATE
    ) AS verdict
    WHERE endpoint.id = verdict.id
    RETURNING verdict.reason, endpoint.disabled_at IS NOT NULL AS disabled
    """
)
# What is locked is being recorded just now, by a sender that waits for us: it buries its delivery itself.
_BURY = text(
    """
    UPDATE webhook_deliveries SET state = 'dead', next_attempt_at = NULL, last_error = :error
    WHERE id IN (
        SELECT id FROM webhook_deliveries WHERE endpoint_id = :id AND state = 'pending' FOR UPDATE SKIP LOCKED
    )
    """
)
BURIED = "not sent: the endpoint was disabled"


async def worked(connection: AsyncConnection, endpoint: str) -> None:
    """A delivery arrived."""
    await connection.execute(_WORKED, {"id": endpoint})


async def failed(connection: AsyncConnection, endpoint: str, status_code: int | None) -> str | None:
    """An attempt failed; the reason when the endpoint was disabled by it."""
    row = (await connection.execute(_FAILED, {"id": endpoint, "gone": status_code == GONE})).first()
    if row is None:
        return None
    if row.disabled:
        await bury(connection, endpoint)
    reason: str | None = row.reason
    return reason


async def bury(connection: AsyncConnection, endpoint: str) -> None:
    """Give up what was still to be sent to it."""
    await connection.execute(_BURY, {"id": endpoint, "error": BURIED})
