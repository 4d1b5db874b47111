"""Tenants as an operator sees them. A tenant is named by its id or by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.attempt import Attempt
from domain.errors import InvalidRequest, NotFound
from domain.ids import TenantId
from domain.limits import LIMIT_NAMES, Limits
from storage.audit import note
from storage.database import Database
from storage.erasure import BATCH, erase_jobs
from storage.fresh_ids import fresh_id
from storage.idempotency import forget, take
from storage.tables import tenants
from storage.tokens import fresh_webhook_secret

KIND = "tenant"
_NOT_ENDED = text("SELECT count(*) FROM jobs WHERE tenant_id = :tenant AND status = 'in_progress'")
_SOME_JOBS = text(f"SELECT id FROM jobs WHERE tenant_id = :tenant AND status <> 'in_progress' LIMIT {BATCH}")
_DELETE = text("DELETE FROM tenants WHERE id = :tenant")


@dataclass(frozen=True, slots=True)
class Tenant:
    id: TenantId
    name: str
    created_at: datetime
    limits: Limits


class Tenants:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, name: str, limits: Mapping[str, Any], actor: str, attempt: Attempt | None = None
    ) -> tuple[Tenant, bool]:
        """A new tenant with these limits (checked before); True: an earlier attempt made it. Raises InvalidRequest."""
        tenant = fresh_id("ten")
        values = {"id": tenant, "name": name, "webhook_secret": fresh_webhook_secret(), **limits}
        async with self._database.transaction() as connection:
            earlier = None if attempt is None else await take(connection, attempt, KIND, tenant)
            if earlier is not None:
                return await _found(connection, earlier), True
            try:
                await connection.execute(insert(tenants).values(**values))
            except IntegrityError:
                raise InvalidRequest("there is a tenant of this name: choose another", param="name") from None
            await note(connection, actor, "tenant.created", tenant, tenant, name=name, **limits)
            return await _found(connection, tenant), False

    async def all(self) -> list[Tenant]:
        """Oldest first."""
        async with self._database.transaction() as connection:
            return [_tenant(row) for row in await connection.execute(_select().order_by(tenants.c.id))]

    async def get(self, tenant: str) -> Tenant:
        """By id or name. Raises NotFound."""
        async with self._database.transaction() as connection:
            return await _found(connection, tenant)

    async def set(self, tenant: str, limits: Mapping[str, Any], actor: str) -> Tenant:
        """Change these limits (checked before); they hold within seconds. Raises NotFound."""
        async with self._database.transaction() as connection:
            found = await _found(connection, tenant)
            if limits:
                await connection.execute(update(tenants).where(tenants.c.id == found.id).values(**limits))
                await note(connection, actor, "tenant.set", found.id, found.id, **limits)
            return await _found(connection, found.id)

    async def delete(self, tenant: str, actor: str, own: TenantId | None = None) -> TenantId:
        """Erase a tenant with its keys, jobs and everything else; what it used stays, as numbers.

        Raises NotFound, and InvalidRequest for the actor's `own` (the key that asks would go, too), and while its jobs
        run: cancel them, or wait for their end.
        """
        found = await self.get(tenant)
        if found.id == own:
            raise InvalidRequest("this is the tenant of the key that asks: delete it by another one's", param="tenant")
        while await self._erase_some(found.id):
            pass
        async with self._database.transaction() as connection:
            if (await connection.execute(_NOT_ENDED, {"tenant": found.id})).scalar():
                raise InvalidRequest("jobs of this tenant are running: cancel them first", param="tenant")
            await connection.execute(_DELETE, {"tenant": found.id})
            await forget(connection, [found.id])
            await note(connection, actor, "tenant.deleted", found.id, found.id, name=found.name)
        return found.id

    async def _erase_some(self, tenant: str) -> int:
        async with self._database.transaction() as connection:
            if (await connection.execute(_NOT_ENDED, {"tenant": tenant})).scalar():
                raise InvalidRequest("jobs of this tenant are running: cancel them first", param="tenant")
            ids = [row.id for row in await connection.execute(_SOME_JOBS, {"tenant": tenant})]
            await erase_jobs(connection, ids)
        return len(ids)


def _select() -> Select[Any]:
    return select(tenants.c.id, tenants.c.name, tenants.c.created_at, *(tenants.c[name] for name in LIMIT_NAMES))


def _tenant(row: Any) -> Tenant:
    return Tenant(TenantId(row[0]), row[1], row[2], Limits(*row[3:]))


async def _found(connection: AsyncConnection, tenant: str) -> Tenant:
    named = or_(tenants.c.id == tenant, tenants.c.name == tenant)
    row = (await connection.execute(_select().where(named))).first()
    if row is None:
        raise NotFound("no such tenant: `deliberate tenants list` shows them")
    return _tenant(row)
