"""Webhook deliveries: what is due, what became of each attempt, what is dead and may be replayed.

Laws: the body's bytes never change; an attempt is leased, so that a sender that dies makes it due again; recording the
same attempt twice counts once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, text

from domain.errors import NotFound
from domain.ids import DeliveryId, JobId, TenantId, is_id
from storage.database import Database
from storage.outbox import WEBHOOK_DUE, post
from storage.records import NOT_ERASED
from storage.tables import jobs, webhook_deliveries

MAX_ERROR_CHARS = 500
_CLAIM = text(
    """
    UPDATE webhook_deliveries AS delivery
    SET next_attempt_at = clock_timestamp() + make_interval(secs => :lease_s)
    FROM (
        SELECT id FROM webhook_deliveries WHERE state = 'pending' AND next_attempt_at <= statement_timestamp()
        ORDER BY next_attempt_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ) AS due, tenants
    WHERE delivery.id = due.id AND tenants.id = delivery.tenant_id
    RETURNING delivery.id, delivery.job_id, delivery.tenant_id, delivery.url, delivery.body, delivery.attempts + 1,
        tenants.webhook_secret
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
_REPLAY = text(
    """
    UPDATE webhook_deliveries
    SET state = 'pending', attempts = 0, next_attempt_at = clock_timestamp(), delivered_at = NULL
    WHERE id = :id AND tenant_id = :tenant RETURNING id
    """
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook to send now."""

    id: DeliveryId
    """The Standard Webhooks id: the same at every attempt."""
    job_id: JobId
    tenant: TenantId
    url: str = field(repr=False)
    body: bytes = field(repr=False)
    """Exact bytes, fixed at the job's end: they are what is signed."""
    attempt: int
    """Number of the attempt to make now, from 1."""
    secret: str = field(repr=False)
    """`whsec_…` of the tenant."""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    id: DeliveryId
    job_id: JobId
    url: str
    state: str
    """`pending`, `delivered` or `dead`."""
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    last_status_code: int | None
    last_error: str | None


_RECORD_COLUMNS = [webhook_deliveries.c[name] for name in DeliveryRecord.__slots__]


class Deliveries:
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
    ) -> None:
        """What became of an attempt. Not delivered and no `next_delay_s`: dead, which is kept and can be replayed."""
        values = {
            "id": delivery.id,
            "attempt": delivery.attempt,
            "delivered": delivered,
            "delay": next_delay_s,
            "status_code": status_code,
            "error": None if error is None else _storable(error),
        }
        async with self._database.transaction() as connection:
            await connection.execute(_RECORD, values)

    async def next_due_s(self) -> float | None:
        """Seconds until a delivery is due (0: one is due now); None when none is pending."""
        async with self._database.transaction() as connection:
            seconds: float | None = (await connection.execute(_NEXT_DUE)).scalar()
        return None if seconds is None else max(0.0, seconds)

    async def for_job(self, tenant: TenantId, job_id: str) -> list[DeliveryRecord]:
        """The deliveries of a job, oldest first. Raises NotFound."""
        if not is_id("job", job_id):
            raise NotFound("no such job: check its id")
        owned = select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.tenant_id == tenant, NOT_ERASED)
        query = select(*_RECORD_COLUMNS).where(webhook_deliveries.c.job_id == job_id).order_by(webhook_deliveries.c.id)
        async with self._database.transaction() as connection:
            if (await connection.execute(owned)).first() is None:
                raise NotFound("no such job: check its id")
            return [DeliveryRecord(*row) for row in await connection.execute(query)]

    async def replay(self, tenant: TenantId, delivery_id: str) -> None:
        """Send it again, now and with a fresh retry schedule. Raises NotFound."""
        if not is_id("whd", delivery_id):
            raise NotFound("no such webhook delivery: check its id")
        async with self._database.transaction() as connection:
            found = (await connection.execute(_REPLAY, {"id": delivery_id, "tenant": tenant})).first()
            if found is None:
                raise NotFound("no such webhook delivery: check its id")
            await post(connection, WEBHOOK_DUE, [delivery_id])


def _storable(error: str) -> str:
    clean = error.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return clean[:MAX_ERROR_CHARS]
