"""Webhook deliveries as their owner sees them: what was sent, every attempt, and sending it again.

A replayed delivery has the same id and the same bytes, so that a receiver that had it knows it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import InvalidRequest, NotFound
from domain.ids import DeliveryId, JobId, TenantId, is_id
from storage.database import Database
from storage.endpoints import PREFIX
from storage.outbox import WEBHOOK_DUE, post
from storage.records import NOT_ERASED
from storage.tables import jobs, webhook_attempts, webhook_deliveries, webhook_endpoints

MAX_PAGE = 100
MOST_ATTEMPTS = 100
"""The latest attempts of one delivery that are shown."""

_REPLAY = text(
    """
    UPDATE webhook_deliveries
    SET state = 'pending', attempts = 0, next_attempt_at = clock_timestamp(), delivered_at = NULL
    WHERE id = :id AND tenant_id = :tenant RETURNING id
    """
)
_DISABLED = text(
    """
    SELECT endpoint.id FROM webhook_deliveries AS delivery
    JOIN webhook_endpoints AS endpoint ON endpoint.id = delivery.endpoint_id
    WHERE delivery.id = :id AND delivery.tenant_id = :tenant AND endpoint.disabled_at IS NOT NULL
    """
)


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    id: DeliveryId
    job_id: JobId | None
    endpoint_id: str | None
    event_type: str
    url: str = field(repr=False)
    state: str
    """`pending`, `delivered` or `dead`."""
    attempts: int
    """Since it was made or replayed."""
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    last_status_code: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    attempt: int
    """Number, from 1; a replay begins anew."""
    at: datetime
    status_code: int | None
    error: str | None


_COLUMNS = [webhook_deliveries.c[name] for name in DeliveryRecord.__slots__]
_ATTEMPT_COLUMNS = [webhook_attempts.c[name] for name in AttemptRecord.__slots__]


class DeliveryLog:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def for_job(self, tenant: TenantId, job_id: str) -> list[DeliveryRecord]:
        """The deliveries of a job, oldest first. Raises NotFound."""
        if not is_id("job", job_id):
            raise NotFound("no such job: check its id")
        owned = select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.tenant_id == tenant, NOT_ERASED)
        query = select(*_COLUMNS).where(webhook_deliveries.c.job_id == job_id).order_by(webhook_deliveries.c.id)
        async with self._database.transaction() as connection:
            if (await connection.execute(owned)).first() is None:
                raise NotFound("no such job: check its id")
            return [DeliveryRecord(*row) for row in await connection.execute(query)]

    async def for_endpoint(
        self, tenant: TenantId, endpoint_id: str, *, state: str | None = None, after: str | None = None, limit: int = 20
    ) -> tuple[list[DeliveryRecord], bool]:
        """At most `limit` (≤ 100) deliveries, newest first, beyond `after`; and whether there are more.

        Raises NotFound.
        """
        limit = max(1, min(limit, MAX_PAGE))
        table = webhook_deliveries.c
        query = select(*_COLUMNS).where(table.endpoint_id == endpoint_id).order_by(table.id.desc()).limit(limit + 1)
        if state is not None:
            query = query.where(table.state == state)
        if after is not None:
            query = query.where(table.id < after)
        async with self._database.transaction() as connection:
            await _check_owner(connection, tenant, endpoint_id)
            rows = (await connection.execute(query)).all()
        return [DeliveryRecord(*row) for row in rows[:limit]], len(rows) > limit

    async def get(self, tenant: TenantId, delivery_id: str) -> tuple[DeliveryRecord, list[AttemptRecord]]:
        """A delivery and its attempts, oldest first. Raises NotFound."""
        table = webhook_deliveries.c
        query = select(*_COLUMNS).where(table.id == delivery_id, table.tenant_id == tenant)
        attempts = (
            select(*_ATTEMPT_COLUMNS)
            .where(webhook_attempts.c.delivery_id == delivery_id)
            .order_by(webhook_attempts.c.id.desc())
            .limit(MOST_ATTEMPTS)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).first() if is_id("whd", delivery_id) else None
            if row is None:
                raise _no_such_delivery()
            made = [AttemptRecord(*attempt) for attempt in await connection.execute(attempts)]
        return DeliveryRecord(*row), made[::-1]

    async def replay(self, tenant: TenantId, delivery_id: str) -> None:
        """Send it again, now and with a fresh retry schedule. Raises NotFound, InvalidRequest."""
        if not is_id("whd", delivery_id):
            raise _no_such_delivery()
        values = {"id": delivery_id, "tenant": tenant}
        async with self._database.transaction() as connection:
            if (await connection.execute(_DISABLED, values)).first() is not None:
                raise InvalidRequest("the endpoint of this delivery is disabled: enable it, then replay")
            if (await connection.execute(_REPLAY, values)).first() is None:
                raise _no_such_delivery()
            await post(connection, WEBHOOK_DUE, [delivery_id])


async def _check_owner(connection: AsyncConnection, tenant: TenantId, endpoint_id: str) -> None:
    table = webhook_endpoints.c
    owned = select(table.id).where(table.id == endpoint_id, table.tenant_id == tenant)
    if not is_id(PREFIX, endpoint_id) or (await connection.execute(owned)).first() is None:
        raise NotFound("no such webhook endpoint: check its id")


def _no_such_delivery() -> NotFound:
    return NotFound("no such webhook delivery: check its id")
