"""API keys as an operator sees them: make, list, rotate, revoke. A secret is given once, and to nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.attempt import Attempt
from domain.errors import InvalidRequest, NotFound
from domain.ids import TenantId, is_id
from storage.audit import note
from storage.database import Database
from storage.fresh_ids import fresh_id
from storage.idempotency import take
from storage.keys import ADD_KEY, new_key
from storage.tables import api_keys
from storage.tokens import fresh_secret, hash_of, token_of

KIND = "key"
ROTATION = "key_rotation"

# A key that expires within the overlap keeps its end: a rotation is no extension of the old secret.
_ROTATE = text(
    """
    UPDATE api_keys SET previous_hash = secret_hash,
        previous_until = clock_timestamp() + make_interval(secs => :overlap), secret_hash = :hash
    WHERE id = :id
    """
)
_REVOKE = text(
    "UPDATE api_keys SET revoked_at = clock_timestamp(), revoked_by = :actor WHERE id = :id AND revoked_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key without its secret."""

    id: str
    tenant_id: TenantId
    label: str
    scopes: list[str]
    source: str
    """`created`, `environment` (DELIBERATE_API_KEYS) or `home` (`deliberate up`)."""
    created_at: datetime
    expires_at: datetime | None
    previous_until: datetime | None
    """Until then the secret of before the last rotation works too."""
    last_used_at: datetime | None
    """To the minute."""
    revoked_at: datetime | None


class KeyRing:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        tenant: TenantId,
        label: str,
        scopes: tuple[str, ...],
        expires_in_s: float | None,
        actor: str,
        attempt: Attempt | None = None,
    ) -> tuple[KeyRecord, str | None]:
        """The key and its token. None for the token: an earlier attempt made the key, and it was shown then."""
        key, secret = fresh_id("key"), fresh_secret()
        values = new_key(key, tenant, label, secret, scopes, expires_in_s=expires_in_s)
        async with self._database.transaction() as connection:
            earlier = None if attempt is None else await take(connection, attempt, KIND, key)
            if earlier is not None:
                return await _found(connection, earlier), None
            await connection.execute(ADD_KEY, values)
            await note(connection, actor, "key.created", tenant, key, label=label, scopes=list(scopes))
            return await _found(connection, key), token_of(key, secret)

    async def all(self, tenant: TenantId | None = None) -> list[KeyRecord]:
        """Oldest first, revoked ones too; of all tenants when none is named."""
        query = _select().order_by(api_keys.c.id)
        if tenant is not None:
            query = query.where(api_keys.c.tenant_id == tenant)
        async with self._database.transaction() as connection:
            return [KeyRecord(*row) for row in await connection.execute(query)]

    async def rotate(
        self, key: str, overlap_s: float, actor: str, attempt: Attempt | None = None
    ) -> tuple[KeyRecord, str | None]:
        """A new secret; the old one works for `overlap_s` more. None for the token: see `create`.

        Raises NotFound, and InvalidRequest for a key that this service did not make or that is revoked.
        """
        secret = fresh_secret()
        async with self._database.transaction() as connection:
            record = await _found(connection, key, lock=True)
            if attempt is not None and await take(connection, attempt, ROTATION, key) is not None:
                return record, None
            if record.source != "created":
                raise InvalidRequest("a key of the environment or of a home is changed there", param="key")
            if record.revoked_at is not None:
                raise InvalidRequest("this key is revoked: make a new one", param="key")
            await connection.execute(_ROTATE, {"id": key, "overlap": overlap_s, "hash": hash_of(secret)})
            await note(connection, actor, "key.rotated", record.tenant_id, key, overlap_s=overlap_s)
            return await _found(connection, key), token_of(key, secret)

    async def revoke(self, key: str, actor: str) -> KeyRecord:
        """Ends it, in every process within seconds; a revoked one stays as it is.

        Raises NotFound, and InvalidRequest for the key that asks: who revokes it by mistake could not undo it.
        """
        async with self._database.transaction() as connection:
            record = await _found(connection, key, lock=True)
            if key == actor:
                raise InvalidRequest("this is the key that asks: revoke it by another one", param="key")
            if (await connection.execute(_REVOKE, {"id": key, "actor": actor})).rowcount:
                await note(connection, actor, "key.revoked", record.tenant_id, key)
            return await _found(connection, key)


def _select() -> Select[Any]:
    return select(*(api_keys.c[name] for name in KeyRecord.__slots__))


async def _found(connection: AsyncConnection, key: str, *, lock: bool = False) -> KeyRecord:
    if is_id("key", key):
        query = _select().where(api_keys.c.id == key)
        row = (await connection.execute(query.with_for_update() if lock else query)).first()
        if row is not None:
            return KeyRecord(*row)
    raise NotFound("no such key: `deliberate keys list` shows them")
