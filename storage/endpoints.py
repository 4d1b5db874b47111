"""Webhook endpoints: where a tenant wants its events. Every query is scoped by tenant.

Laws: a signing secret leaves only when it is made; after a rotation with overlap both secrets sign until the old one's
time is over; a disabled endpoint gets nothing until its owner enables it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.attempt import Attempt
from domain.errors import InvalidRequest, NotFound
from domain.ids import TenantId, is_id
from storage.database import Database
from storage.endpoint_health import bury
from storage.fresh_ids import fresh_id
from storage.idempotency import forget, take
from storage.tokens import fresh_webhook_secret

PREFIX = "whe"
KIND = "webhook_endpoint"
"""What an idempotency key that led to an endpoint leads to."""
ROTATION = "webhook_endpoint_rotation"
"""What one that led to a new secret leads to."""
MOST_ENDPOINTS = 50
"""Endpoints of one tenant."""
MAX_PAGE = 100
OVERLAP_HOURS = 24

_COLUMNS = (
    "id, name, url, event_types, secret, created_at, updated_at, failing_since, disabled_at, disabled_reason,"
    " CASE WHEN previous_secret_until > clock_timestamp() THEN previous_secret END AS previous_secret"
)
# The tenant's row is locked, so that two requests at once can't both make the last one allowed.
_LOCK_TENANT = text("SELECT id FROM tenants WHERE id = :tenant FOR NO KEY UPDATE")
_COUNT = text("SELECT count(*) FROM webhook_endpoints WHERE tenant_id = :tenant")
_ADD = text(
    "INSERT INTO webhook_endpoints (id, tenant_id, name, url, event_types, secret)"
    f" VALUES (:id, :tenant, :name, :url, CAST(:event_types AS text[]), :secret) RETURNING {_COLUMNS}"
)
_READ = text(f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE id = :id AND tenant_id = :tenant")
_PAGE = text(
    f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE tenant_id = :tenant"
    " AND (CAST(:after AS text) IS NULL OR id < :after) ORDER BY id DESC LIMIT :limit"
)
_UPDATE = text(
    f"""
    UPDATE webhook_endpoints SET
        name = coalesce(:name, name), url = coalesce(:url, url),
        event_types = coalesce(CAST(:event_types AS text[]), event_types),
        disabled_at = CASE WHEN :enabled THEN NULL WHEN NOT :enabled THEN coalesce(disabled_at, clock_timestamp())
            ELSE disabled_at END,
        disabled_reason = CASE WHEN :enabled THEN NULL WHEN NOT :enabled THEN coalesce(disabled_reason, 'owner')
            ELSE disabled_reason END,
        failing_since = CASE WHEN :enabled THEN NULL ELSE failing_since END,
        updated_at = clock_timestamp()
    WHERE id = :id AND tenant_id = :tenant RETURNING {_COLUMNS}
    """.replace(":enabled", "CAST(:enabled AS boolean)")
    .replace(":name", "CAST(:name AS text)")
    .replace(":url", "CAST(:url AS text)")
)
_DROP = text("DELETE FROM webhook_endpoints WHERE id = :id AND tenant_id = :tenant RETURNING id")
_ROTATE = text(
    f"""
    UPDATE webhook_endpoints SET secret = :secret, updated_at = clock_timestamp(),
        previous_secret = CASE WHEN :overlap THEN secret END,
        previous_secret_until = CASE WHEN :overlap THEN clock_timestamp() + interval '{OVERLAP_HOURS} hours' END
    WHERE id = :id AND tenant_id = :tenant RETURNING {_COLUMNS}
    """
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    id: str
    name: str
    url: str = field(repr=False)
    event_types: tuple[str, ...]
    secret: str = field(repr=False)
    previous_secret: str | None = field(repr=False)
    """The one before, as long as it signs too."""
    created_at: datetime
    updated_at: datetime
    """Of the last change of its configuration or secret."""
    failing_since: datetime | None
    """The first failure after the last success."""
    disabled_at: datetime | None
    disabled_reason: str | None
    """`gone` (it answered 410), `failing` (for days) or `owner`."""


class Endpoints:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        tenant: TenantId,
        name: str,
        url: str,
        event_types: tuple[str, ...],
        attempt: Attempt | None = None,
    ) -> tuple[Endpoint, bool]:
        """A new endpoint; True: an earlier attempt at this request had made it.

        Raises InvalidRequest when the tenant has too many, IdempotencyConflict and RequestInFlight.
        """
        values = {"id": fresh_id(PREFIX), "tenant": tenant, "name": name, "url": url, "secret": fresh_webhook_secret()}
        async with self._database.transaction() as connection:
            earlier = None if attempt is None else await take(connection, attempt, KIND, values["id"])
            if earlier is not None:
                return await _one(connection, _READ, tenant, earlier), True
            await connection.execute(_LOCK_TENANT, {"tenant": tenant})
            if ((await connection.execute(_COUNT, {"tenant": tenant})).scalar() or 0) >= MOST_ENDPOINTS:
                raise InvalidRequest(f"there are {MOST_ENDPOINTS} webhook endpoints already: delete one first")
            made = await connection.execute(_ADD, values | {"event_types": list(event_types)})
            return _endpoint(made.one()), False

    async def get(self, tenant: TenantId, endpoint_id: str) -> Endpoint:
        """Raises NotFound."""
        async with self._database.transaction() as connection:
            return await _one(connection, _READ, tenant, endpoint_id)

    async def page(self, tenant: TenantId, *, after: str | None = None, limit: int = 20) -> tuple[list[Endpoint], bool]:
        """At most `limit` (≤ 100) endpoints, newest first, beyond `after`; and whether there are more."""
        limit = max(1, min(limit, MAX_PAGE))
        async with self._database.transaction() as connection:
            values = {"tenant": tenant, "after": after, "limit": limit + 1}
            rows = (await connection.execute(_PAGE, values)).all()
        return [_endpoint(row) for row in rows[:limit]], len(rows) > limit

    async def update(
        self,
        tenant: TenantId,
        endpoint_id: str,
        *,
        name: str | None = None,
        url: str | None = None,
        event_types: tuple[str, ...] | None = None,
        enabled: bool | None = None,
    ) -> Endpoint:
        """Change what is not None. Raises NotFound."""
        types = None if event_types is None else list(event_types)
        values = {"name": name, "url": url, "event_types": types, "enabled": enabled}
        async with self._database.transaction() as connection:
            endpoint = await _one(connection, _UPDATE, tenant, endpoint_id, **values)
            if enabled is False:
                await bury(connection, endpoint_id)
            return endpoint

    async def delete(self, tenant: TenantId, endpoint_id: str) -> None:
        """With its deliveries. Raises NotFound."""
        values = {"id": endpoint_id, "tenant": tenant}
        async with self._database.transaction() as connection:
            if not is_id(PREFIX, endpoint_id) or (await connection.execute(_DROP, values)).first() is None:
                raise _no_such_endpoint()
            await forget(connection, [endpoint_id])

    async def rotate(
        self, tenant: TenantId, endpoint_id: str, *, overlap: bool, attempt: Attempt | None = None
    ) -> tuple[Endpoint, bool]:
        """A new secret; with `overlap` the old one signs too for 24 hours. True: an earlier attempt at this request had
        made it (a second rotation would end the secret that the receiver has).

        Raises NotFound, IdempotencyConflict and RequestInFlight.
        """
        async with self._database.transaction() as connection:
            endpoint = await _one(connection, _READ, tenant, endpoint_id)
            if attempt is not None and await take(connection, attempt, ROTATION, endpoint_id) is not None:
                return endpoint, True
            values = {"secret": fresh_webhook_secret(), "overlap": overlap}
            return await _one(connection, _ROTATE, tenant, endpoint_id, **values), False


async def _one(connection: AsyncConnection, query: Any, tenant: TenantId, endpoint_id: str, **values: Any) -> Endpoint:
    if is_id(PREFIX, endpoint_id):
        row = (await connection.execute(query, {"id": endpoint_id, "tenant": tenant, **values})).first()
        if row is not None:
            return _endpoint(row)
    raise _no_such_endpoint()


def _endpoint(row: Row[Any]) -> Endpoint:
    values = row._asdict()
    return Endpoint(**(values | {"event_types": tuple(values["event_types"])}))


def _no_such_endpoint() -> NotFound:
    return NotFound("no such webhook endpoint: check its id")
