"""API keys: who is calling. A key is shown once and stored as a hash; comparison takes the same time for any key.

A token of ours is `dlb_<id>_<secret>`: the id finds the row, the secret proves it. Bootstrap keys (DELIBERATE_API_KEYS)
may have any form; their row is found by a digest of the whole token. After a rotation the old secret proves it too, for
as long as the rotation said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from domain.ids import TenantId
from domain.scopes import OF_TENANTS, SCOPES
from storage.audit import SERVICE, note
from storage.database import Database
from storage.fresh_ids import fresh_id
from storage.tokens import (
    MAX_TOKEN_CHARS,
    candidates,
    digest_id,
    fresh_secret,
    fresh_webhook_secret,
    hash_of,
    proves,
    token_of,
)

ENVIRONMENT = "environment"
HOME = "home"
_ADD_TENANT = text(
    "INSERT INTO tenants (id, name, webhook_secret) VALUES (:id, :name, :secret) ON CONFLICT (name) DO NOTHING"
)
_TENANT_NAMED = text("SELECT id FROM tenants WHERE name = :name")
# A key that left the environment and came back lives again; one that somebody revoked does not.
ADD_KEY = text(
    """
    INSERT INTO api_keys AS kept (id, tenant_id, label, secret_hash, scopes, source, expires_at)
    VALUES (:id, :tenant, :label, :hash, CAST(:scopes AS text[]), :source,
        clock_timestamp() + make_interval(secs => CAST(:expires_in_s AS float8)))
    ON CONFLICT (id) DO UPDATE SET revoked_at = NULL, revoked_by = NULL
        WHERE kept.revoked_by = 'environment' AND excluded.source <> 'created'
    """
)
_KEYS = text(
    """
    SELECT keys.id, keys.tenant_id, keys.secret_hash, keys.scopes, tenants.requests_per_minute,
        CASE WHEN keys.previous_until > clock_timestamp() THEN keys.previous_hash END AS previous_hash,
        extract(epoch FROM keys.expires_at - clock_timestamp())::float8 AS left_s,
        coalesce(keys.last_used_at < clock_timestamp() - interval '1 minute', true) AS unseen
    FROM api_keys AS keys JOIN tenants ON tenants.id = keys.tenant_id
    WHERE keys.id = ANY(CAST(:ids AS text[])) AND keys.revoked_at IS NULL
        AND (keys.expires_at IS NULL OR keys.expires_at > clock_timestamp())
    """
)
_SEEN = text("UPDATE api_keys SET last_used_at = clock_timestamp() WHERE id = :id")
_REVOKE_MISSING = text(
    """
    UPDATE api_keys SET revoked_at = clock_timestamp(), revoked_by = 'environment'
    WHERE source = 'environment' AND revoked_at IS NULL AND NOT id = ANY(CAST(:ids AS text[]))
    RETURNING id, tenant_id
    """
)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request."""

    tenant: TenantId
    key_id: str
    """`key_…`: safe to log."""
    scopes: frozenset[str] = frozenset()
    requests_per_minute: int | None = None
    """The tenant's."""
    left_s: float | None = None
    """Seconds until the key expires."""


class Keys:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure_tenant(self, name: str = "default") -> TenantId:
        """The tenant of this name; made, with its webhook secret, when there is none."""
        fresh = {"id": fresh_id("ten"), "name": name, "secret": fresh_webhook_secret()}
        async with self._database.transaction() as connection:
            await connection.execute(_ADD_TENANT, fresh)
            return TenantId((await connection.execute(_TENANT_NAMED, {"name": name})).scalar_one())

    async def create(self, tenant: TenantId, label: str, scopes: tuple[str, ...] = OF_TENANTS) -> str:
        """A new token. It can't be read again: only the hash of its secret is stored."""
        key_id, secret = fresh_id("key"), fresh_secret()
        async with self._database.transaction() as connection:
            await connection.execute(ADD_KEY, new_key(key_id, tenant, label, secret, scopes))
        return token_of(key_id, secret)

    async def ensure(self, token: str, tenant: TenantId, label: str, source: str = ENVIRONMENT) -> None:
        """Let `token` in as the operator's, whatever its form; no-op when it is in already."""
        values = new_key(digest_id(token), tenant, label, token, SCOPES, source)
        async with self._database.transaction() as connection:
            await connection.execute(ADD_KEY, values)

    async def revoke_missing(self, tokens: tuple[str, ...]) -> int:
        """Revoke the bootstrap keys that are not among these any more; gives their number."""
        async with self._database.transaction() as connection:
            values = {"ids": [digest_id(token) for token in tokens]}
            revoked = (await connection.execute(_REVOKE_MISSING, values)).all()
            for row in revoked:
                await note(connection, SERVICE, "key.revoked", row.tenant_id, row.id, why="left DELIBERATE_API_KEYS")
        return len(revoked)

    async def authenticate(self, token: str) -> Principal | None:
        """Who holds this token; None when nobody does (or the key was revoked, or has expired)."""
        if len(token) > MAX_TOKEN_CHARS:
            return None
        secrets_by_id = candidates(token)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_KEYS, {"ids": list(secrets_by_id)})).all()
            # Comparisons are made in any case, so that a known id does not show in the time taken.
            known = {row.id: row for row in rows}
            proven = [key for key, secret in secrets_by_id.items() if proves(secret, *_hashes(known.get(key)))]
            if not proven:
                return None
            row = known[proven[0]]
            if row.unseen:
                await connection.execute(_SEEN, {"id": row.id})
        return Principal(TenantId(row.tenant_id), row.id, frozenset(row.scopes), row.requests_per_minute, row.left_s)


def new_key(
    key_id: str,
    tenant: str,
    label: str,
    secret: str,
    scopes: tuple[str, ...],
    source: str = "created",
    expires_in_s: float | None = None,
) -> dict[str, Any]:
    """The values of `ADD_KEY`."""
    return {
        "id": key_id,
        "tenant": tenant,
        "label": label,
        "hash": hash_of(secret),
        "scopes": list(scopes),
        "source": source,
        "expires_in_s": expires_in_s,
    }


def _hashes(row: Row[Any] | None) -> tuple[bytes | None, bytes | None]:
    """Of the secret now and of the one before it."""
    return (None, None) if row is None else (row.secret_hash, row.previous_hash)
