"""Keys: shown once, stored as a hash, of any form at bootstrap, and each of one tenant."""

from __future__ import annotations

import asyncio
import base64

import pytest

from domain.errors import NotFound
from domain.ids import TenantId, is_id
from storage.database import Database
from storage.keys import Keys
from storage.tenant_secret import TenantSecret
from tests.support.jobs import run_sql, scalar

pytestmark = pytest.mark.integration


@pytest.fixture
def keys(database: Database) -> Keys:
    return Keys(database)


async def test_a_created_key_is_its_tenants(keys: Keys, tenant: TenantId) -> None:
    token = await keys.create(tenant, "laptop")
    principal = await keys.authenticate(token)
    assert principal is not None
    assert principal.tenant == tenant
    assert is_id("key", principal.key_id)
    assert token.startswith("dlb_")
    assert principal.key_id.removeprefix("key_") in token


async def test_the_secret_is_stored_nowhere(database: Database, keys: Keys, tenant: TenantId) -> None:
    token = await keys.create(tenant, "laptop")
    secret = token.split("_")[2]
    stored = await scalar(database, "SELECT string_agg(api_keys::text, '') FROM api_keys")
    assert secret not in stored
    assert secret.encode().hex() not in stored


@pytest.mark.parametrize("spoil", [
    lambda token: "", lambda token: token[:-1], lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"),
    lambda token: token + "0", lambda token: token.upper(), lambda token: token + "\x00", lambda token: "\ud800",
    lambda token: token.replace("dlb_", "key_"), lambda token: "x" * 100_000, lambda token: token.split("_")[2],
])  # fmt: skip
async def test_anything_else_is_nobody(spoil, keys: Keys, tenant: TenantId) -> None:  # type: ignore[no-untyped-def]
    token = await keys.create(tenant, "laptop")
    assert await keys.authenticate(spoil(token)) is None


async def test_keys_do_not_open_each_others_tenants(keys: Keys, tenant: TenantId) -> None:
    other = await keys.ensure_tenant("other")
    mine, theirs = await keys.create(tenant, "a"), await keys.create(other, "b")
    crossed = "_".join([*mine.split("_")[:2], theirs.split("_")[2]])
    assert await keys.authenticate(crossed) is None
    principal = await keys.authenticate(theirs)
    assert principal is not None
    assert principal.tenant == other


@pytest.mark.parametrize("token", ["letmein", "sk-" + "x" * 100, "dlb_" + "0" * 26 + "_" + "a" * 48, "schlüssel 🗝"])
async def test_a_bootstrap_key_has_any_form_and_is_ensured_once(
    token: str, database: Database, keys: Keys, tenant: TenantId
) -> None:
    await asyncio.gather(*(keys.ensure(token, tenant, "bootstrap") for _ in range(4)))
    principal = await keys.authenticate(token)
    assert principal is not None
    assert principal.tenant == tenant
    assert await scalar(database, "SELECT count(*) FROM api_keys") == 1


async def test_a_revoked_key_is_nobody(database: Database, keys: Keys, tenant: TenantId) -> None:
    token = await keys.create(tenant, "laptop")
    await run_sql(database, "UPDATE api_keys SET revoked_at = now(), revoked_by = 'key_x'")
    assert await keys.authenticate(token) is None


async def test_a_tenant_is_made_once_with_its_secret(database: Database, keys: Keys) -> None:
    ids = await asyncio.gather(*(keys.ensure_tenant("acme") for _ in range(4)))
    assert len(set(ids)) == 1
    secrets = TenantSecret(database)
    secret = await secrets.read(ids[0])
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert await secrets.read(ids[0]) == secret
    assert await secrets.read(await keys.ensure_tenant("other")) != secret


async def test_an_unknown_tenant_has_no_secret(database: Database, tenant: TenantId) -> None:
    nobody = TenantId("ten_0")
    with pytest.raises(NotFound):
        await TenantSecret(database).read(nobody)
    with pytest.raises(NotFound):
        await TenantSecret(database).rotate(nobody, "key_1", overlap=True)
