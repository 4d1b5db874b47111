"""Who did what: changes of keys and tenants, cancellations and erasures. Written in the transaction that does it.

Law: an entry has ids and settings, never a secret and nothing that a user wrote but a name or label of its own making;
it outlives what it tells of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.tables import audit_log

MAX_PAGE = 100
SERVICE = "service"
"""The actor of what nobody asked for at that moment: retention, a changed setting."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    id: int
    at: datetime
    actor: str
    """The id of an API key, or `service`."""
    action: str
    """Such as `key.revoked`."""
    tenant_id: str | None
    object_id: str | None
    details: Mapping[str, Any]


async def note(
    connection: AsyncConnection, actor: str, action: str, tenant: str | None, thing: str | None, **details: Any
) -> None:
    await connection.execute(
        insert(audit_log).values(actor=actor, action=action, tenant_id=tenant, object_id=thing, details=details)
    )


class Audit:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, *, tenant: str | None = None, before: int | None = None, limit: int = 100
    ) -> tuple[list[AuditEntry], bool]:
        """At most `limit` (≤ 100) entries, newest first, older than `before`; and whether there are more."""
        limit = max(1, min(limit, MAX_PAGE))
        columns = [audit_log.c[name] for name in AuditEntry.__slots__]
        query = select(*columns).order_by(audit_log.c.id.desc()).limit(limit + 1)
        if tenant is not None:
            query = query.where(audit_log.c.tenant_id == tenant)
        if before is not None:
            query = query.where(audit_log.c.id < before)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        return [AuditEntry(*row) for row in rows[:limit]], len(rows) > limit
