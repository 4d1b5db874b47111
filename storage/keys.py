"""Tenants and their API keys. A key is shown once and stored as a hash; comparison takes the same time for any key.

A token of ours is `dlb_<id>_<secret>`: the id finds the row, the secret proves it. Bootstrap keys (DELIBERATE_API_KEYS)
may have any form; their row is found by a digest of the whole token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from sqlalchemy import text

from domain.errors import NotFound
from domain.ids import TenantId, make_id
from storage.database import Database
from storage.fresh_ids import fresh_id

MAX_TOKEN_CHARS = 512
_TOKEN = re.compile(r"^dlb_([0-9a-hjkmnp-tv-z]{26})_([0-9a-f]{48})$")
_ADD_TENANT = text(
    "INSERT INTO tenants (id, name, webhook_secret) VALUES (:id, :name, :secret) ON CONFLICT (name) DO NOTHING"
)
_TENANT_NAMED = text("SELECT id FROM tenants WHERE name = :name")
_SECRET_OF = text("SELECT webhook_secret FROM tenants WHERE id = :tenant")
_ADD_KEY = text(
    "INSERT INTO api_keys (id, tenant_id, label, secret_hash) VALUES (:id, :tenant, :label, :hash)"
    " ON CONFLICT (id) DO NOTHING"
)
_KEYS = text(
    "SELECT id, tenant_id, secret_hash FROM api_keys WHERE id = ANY(CAST(:ids AS text[])) AND revoked_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request."""

    tenant: TenantId
    key_id: str
    """`key_…`: safe to log."""


class Keys:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure_tenant(self, name: str = "default") -> TenantId:
        """The tenant of this name; made, with its webhook secret, when there is none."""
        fresh = {"id": fresh_id("ten"), "name": name, "secret": _fresh_webhook_secret()}
        async with self._database.transaction() as connection:
            await connection.execute(_ADD_TENANT, fresh)
            return TenantId((await connection.execute(_TENANT_NAMED, {"name": name})).scalar_one())

    async def create(self, tenant: TenantId, label: str) -> str:
        """A new token. It can't be read again: only the hash of its secret is stored."""
        key_id, secret = fresh_id("key"), secrets.token_hex(24)
        await self._add(key_id, tenant, label, secret)
        return f"dlb_{key_id.removeprefix('key_')}_{secret}"

    async def ensure(self, token: str, tenant: TenantId, label: str) -> None:
        """Let `token` in, whatever its form; no-op when it is in already."""
        await self._add(_digest_id(token), tenant, label, token)

    async def authenticate(self, token: str) -> Principal | None:
        """Who holds this token; None when nobody does (or the key was revoked)."""
        if len(token) > MAX_TOKEN_CHARS:
            return None
        secrets_by_id = {_digest_id(token): token}
        if ours := _TOKEN.match(token):
            secrets_by_id[f"key_{ours[1]}"] = ours[2]
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_KEYS, {"ids": list(secrets_by_id)})).all()
        # One comparison is made in any case, so that a known id does not show in the time taken.
        known = {row.id: row.secret_hash for row in rows}
        proven = {key for key, secret in secrets_by_id.items() if _proves(secret, known.get(key, bytes(32)))}
        return next((Principal(TenantId(row.tenant_id), row.id) for row in rows if row.id in proven), None)

    async def webhook_secret(self, tenant: TenantId) -> str:
        """`whsec_…`, by which the tenant checks our webhooks. Raises NotFound."""
        async with self._database.transaction() as connection:
            secret: str | None = (await connection.execute(_SECRET_OF, {"tenant": tenant})).scalar()
        if secret is None:
            raise NotFound("no such tenant")
        return secret

    async def _add(self, key_id: str, tenant: TenantId, label: str, secret: str) -> None:
        values = {"id": key_id, "tenant": tenant, "label": label, "hash": _hash(secret)}
        async with self._database.transaction() as connection:
            await connection.execute(_ADD_KEY, values)


def _hash(secret: str) -> bytes:
    # The secrets are long and random, so that a fast hash is enough: there is nothing to guess.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _proves(secret: str, stored: bytes) -> bool:
    return hmac.compare_digest(_hash(secret), stored)


def _digest_id(token: str) -> str:
    digest = hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=16, person=b"api key id").digest()
    return make_id("key", int.from_bytes(digest[:6], "big"), digest[6:])


def _fresh_webhook_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
