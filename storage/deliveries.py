"""Webhook deliveries as a sender sees them: what is due, and what became of each attempt.

Laws: the body's bytes never change; an attempt is leased, so that a sender that dies makes it due again; recording the
same attempt twice counts once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import text

from domain.ids import DeliveryId, JobId, TenantId
from storage.database import Database
from storage.delivery_log import DeliveryLog, DeliveryRecord
from storage.endpoint_health import failed, worked

MAX_ERROR_CHARS = 500
_CLAIM = text(
    """
    UPDATE webhook_deliveries AS delivery
    SET next_attempt_at = clock_timestamp() + make_interval(secs => :lease_s)
    FROM (
        SELECT due.id, coalesce(endpoint.url, due.url) AS url,
            coalesce(endpoint.secret, tenants.webhook_secret) AS secret,
            CASE WHEN endpoint.id IS NULL THEN
                CASE WHEN tenants.previous_webhook_secret_until > clock_timestamp()
                    THEN tenants.previous_webhook_secret END
                WHEN endpoint.previous_secret_until > clock_timestamp() THEN endpoint.previous_secret END AS previous
        FROM webhook_deliveries AS due
        JOIN tenants ON tenants.id = due.tenant_id
        LEFT JOIN webhook_endpoints AS endpoint ON endpoint.id = due.endpoint_id
        WHERE due.state = 'pending' AND due.next_attempt_at <= statement_timestamp()
        ORDER BY due.next_attempt_at LIMIT :limit FOR UPDATE OF due SKIP LOCKED
    ) AS due
    WHERE delivery.id = due.id
    RETURNING delivery.id, delivery.job_id, delivery.tenant_id, due.url, delivery.body, delivery.attempts + 1,
        due.secret, due.previous, delivery.endpoint_id
    """
)
# A late success counts; a late failure does not, since another sender has the delivery by now.
_RECORD = text(
    """
    WITH recorded AS (
        UPDATE webhook_deliveries SET
            state = CASE WHEN :delivered THEN 'delivered' WHEN CAST(:delay AS float8) IS NULL THEN 'dead'
                ELSE 'pending' END,
            attempts = greatest(attempts, :attempt),
            next_attempt_at = CASE WHEN :delivered THEN NULL
                ELSE clock_timestamp() + make_interval(secs => CAST(:delay AS float8)) END,
            delivered_at = CASE WHEN :delivered THEN clock_timestamp() END,
            last_status_code = CAST(:status_code AS int), last_error = CAST(:error AS text)
        WHERE id = :id AND state = 'pending' AND (attempts = :attempt - 1 OR :delivered)
        RETURNING id
    )
    INSERT INTO webhook_attempts (delivery_id, attempt, status_code, error)
    SELECT id, :attempt, CAST(:status_code AS int), CAST(:error AS text) FROM recorded
    """
)
_NEXT_DUE = text(
    "SELECT extract(epoch FROM min(next_attempt_at) - clock_timestamp())::float8"
    " FROM webhook_deliveries WHERE state = 'pending'"
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook to send now."""

    id: DeliveryId
    """The Standard Webhooks id: the same at every attempt."""
    job_id: JobId | None
    """The job that it is about; None for events of other things."""
    tenant: TenantId
    url: str = field(repr=False)
    body: bytes = field(repr=False)
    """Exact bytes, fixed when it happened: they are what is signed."""
    attempt: int
    """Number of the attempt to make now, from 1."""
    secret: str = field(repr=False)
    """`whsec_…` of the endpoint; for a job's own `webhook_url`, of the tenant."""
    previous_secret: str | None = field(default=None, repr=False)
    """The endpoint's former secret, as long as it signs too."""
    endpoint_id: str | None = None


class Deliveries:
    """What a sender does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim_due(self, limit: int, lease_s: float) -> list[Delivery]:
        """Up to `limit` due deliveries that no other sender has; each is due again after `lease_s` unless recorded."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(_CLAIM, {"limit": limit, "lease_s": lease_s})
            return [Delivery(*row) for row in rows]

    async def record(
        self,
        delivery: Delivery,
        *,
        status_code: int | None,
        error: str | None,
        next_delay_s: float | None,
        delivered: bool,
    ) -> str | None:
        """What became of an attempt. Not delivered and no `next_delay_s`: dead, which is kept and can be replayed.

        The reason when the endpoint was disabled by this: then all that was still to be sent to it is dead, too.
        """
        values = {
            "id": delivery.id,
            "attempt": delivery.attempt,
            "delivered": delivered,
            "delay": next_delay_s,
            "status_code": status_code,
            "error": None if error is None else _storable(error),
        }
        async with self._database.transaction() as connection:
            recorded = (await connection.execute(_RECORD, values)).rowcount
            if not recorded or delivery.endpoint_id is None:
                return None
            if delivered:
                await worked(connection, delivery.endpoint_id)
                return None
            return await failed(connection, delivery.endpoint_id, status_code)

    async def next_due_s(self) -> float | None:
        """Seconds until a delivery is due (0: one is due now); None when none is pending."""
        async with self._database.transaction() as connection:
            seconds: float | None = (await connection.execute(_NEXT_DUE)).scalar()
        return None if seconds is None else max(0.0, seconds)

    async def for_job(self, tenant: TenantId, job_id: str) -> list[DeliveryRecord]:
        """See `storage.delivery_log`."""
        return await DeliveryLog(self._database).for_job(tenant, job_id)

    async def replay(self, tenant: TenantId, delivery_id: str) -> None:
        """See `storage.delivery_log`."""
        await DeliveryLog(self._database).replay(tenant, delivery_id)


def _storable(error: str) -> str:
    clean = error.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return clean[:MAX_ERROR_CHARS]
