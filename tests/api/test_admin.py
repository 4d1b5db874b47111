"""The operator's routes, scopes on every route, limits as callers meet them."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from api.scopes import scope_of
from api.services import Services
from domain.limits import Prices
from domain.scopes import OF_TENANTS, SCOPES
from storage.database import Database
from storage.keys import Keys
from storage.leases import PostgresJobStore
from tests.api.conftest import KEY, client_of
from tests.support.jobs import ending, progress, run_sql, scalar
from tests.support.problems import check_problem

pytestmark = pytest.mark.integration

JOBS = "/v1/reasoning/jobs"
BODY = {"problem": "1 + 1"}
ADMIN = "/v1/admin"


async def new_tenant(client: httpx.AsyncClient, name: str = "acme", **limits: float) -> str:
    response = await client.post(f"{ADMIN}/tenants", json={"name": name, **limits})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


async def new_key(client: httpx.AsyncClient, tenant: str = "acme", **members: object) -> str:
    response = await client.post(f"{ADMIN}/keys", json={"label": "test", "tenant": tenant, **members})
    assert response.status_code == 201, response.text
    return str(response.json()["token"])


class TestScopes:
    @pytest.mark.parametrize(
        ("method", "path", "scope"),
        [
            ("GET", "/v1/reasoning/jobs/{job_id}", "jobs:read"),
            ("DELETE", "/v1/reasoning/jobs/{job_id}", "jobs:write"),
            ("POST", "/v1/responses", "jobs:write"),
            ("POST", "/v1/chat/completions", "jobs:write"),
            ("GET", "/v1/models", "jobs:read"),
            ("POST", "/v1/files", "files:write"),
            ("GET", "/v1/batches/{id}", "batches:read"),
            ("GET", "/v1/webhook-secret", "webhooks:read"),
            ("POST", "/v1/webhook_endpoints", "webhooks:write"),
            ("GET", "/v1/admin/keys", "admin"),
            ("GET", "/v1/forgotten", "admin"),
        ],
    )
    def test_each_address_has_one(self, method: str, path: str, scope: str) -> None:
        assert scope_of(method, path) == scope
        assert scope in SCOPES

    def test_no_route_but_the_operators_needs_the_operator(self, app: FastAPI) -> None:
        """A route that nobody put into the table would be closed to every tenant."""
        closed = [
            path
            for path, item in app.openapi()["paths"].items()
            for method in item
            if path.startswith("/v1/") and scope_of(method.upper(), path) == "admin" and not path.startswith(ADMIN)
        ]
        assert closed == []

    async def test_a_key_does_what_its_scopes_say(self, app: FastAPI, client: httpx.AsyncClient) -> None:
        await new_tenant(client)
        reader = await new_key(client, scopes=["jobs:read"])
        async with client_of(app, reader) as one:
            assert (await one.get(JOBS)).status_code == 200
            refused = await one.post(JOBS, json=BODY)
            assert "jobs:write" in check_problem(refused, 403)
            assert refused.json()["error"]["code"] == "insufficient_scope"
            check_problem(await one.get("/v1/webhook-secret"), 403)

    async def test_a_tenants_key_is_no_operators(self, stranger: httpx.AsyncClient) -> None:
        for part in ("tenants", "keys", "usage", "audit"):
            check_problem(await stranger.get(f"{ADMIN}/{part}"), 403)
        check_problem(await stranger.post(f"{ADMIN}/keys", json={"label": "x", "scopes": ["admin"]}), 403)


class TestKeys:
    async def test_a_token_is_shown_once(self, client: httpx.AsyncClient, database: Database) -> None:
        headers = {"Idempotency-Key": "k"}
        body = {"label": "ci", "expires_in_s": 3600}
        first = await client.post(f"{ADMIN}/keys", json=body, headers=headers)
        again = await client.post(f"{ADMIN}/keys", json=body, headers=headers)
        assert first.json()["id"] == again.json()["id"]
        assert again.json()["token"] is None
        assert first.json()["scopes"] == list(OF_TENANTS)
        secret = first.json()["token"].split("_")[2]
        listed = await client.get(f"{ADMIN}/keys")
        assert secret not in listed.text
        stored = await scalar(database, "SELECT string_agg(idempotency_keys::text, '') FROM idempotency_keys")
        assert secret not in stored

    async def test_rotation_overlaps(self, app: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
        old = await new_key(client, "default")
        key = f"key_{old.split('_')[1]}"
        response = await client.post(f"{ADMIN}/keys/{key}/rotate", json={"overlap_s": 60})
        new = response.json()["token"]
        assert (old != new, response.json()["id"]) == (True, key)
        async with client_of(app, old) as before, client_of(app, new) as after:
            assert [(await one.get(JOBS)).status_code for one in (before, after)] == [200, 200]
            await run_sql(
                database, "UPDATE api_keys SET previous_until = now() - interval '1 s' WHERE id = :id", id=key
            )
            app.state.services.authenticator.forget()
            assert [(await one.get(JOBS)).status_code for one in (before, after)] == [401, 200]

    async def test_an_expired_key_is_nobody(self, app: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
        token = await new_key(client, "default", expires_in_s=60)
        async with client_of(app, token) as one:
            assert (await one.get(JOBS)).status_code == 200
            await run_sql(database, "UPDATE api_keys SET expires_at = now() WHERE expires_at IS NOT NULL")
            app.state.services.authenticator.forget()
            check_problem(await one.get(JOBS), 401)

    async def test_a_revoked_key_is_nobody_at_once_here(self, app: FastAPI, client: httpx.AsyncClient) -> None:
        token = await new_key(client, "default")
        async with client_of(app, token) as one:
            assert (await one.get(JOBS)).status_code == 200
            assert (await client.delete(f"{ADMIN}/keys/key_{token.split('_')[1]}")).json()["revoked_at"] is not None
            check_problem(await one.get(JOBS), 401)
        check_problem(await client.post(f"{ADMIN}/keys/key_{token.split('_')[1]}/rotate", json={}), 422, "key")

    async def test_a_key_ends_neither_itself_nor_its_tenant(self, app: FastAPI, client: httpx.AsyncClient) -> None:
        """By mistake, that is: nobody could undo it."""
        token = await new_key(client, "default", scopes=["admin"])
        async with client_of(app, token) as one:
            check_problem(await one.delete(f"{ADMIN}/keys/key_{token.split('_')[1]}"), 422, "key")
            check_problem(await one.delete(f"{ADMIN}/tenants/default"), 422, "tenant")
            assert (await one.get(f"{ADMIN}/tenants/default")).status_code == 200

    async def test_a_key_that_left_the_environment_is_revoked_until_it_is_back(
        self, database: Database, keys: Keys
    ) -> None:
        tenant = await keys.ensure_tenant()
        for token in ("one", "two"):
            await keys.ensure(token, tenant, "bootstrap")
        assert await keys.revoke_missing(("one",)) == 1
        assert await keys.authenticate("two") is None
        assert await keys.authenticate("one") is not None
        assert await scalar(database, "SELECT action FROM audit_log") == "key.revoked"
        await keys.ensure("two", tenant, "bootstrap")
        assert await keys.authenticate("two") is not None
        await run_sql(database, "UPDATE api_keys SET revoked_at = now(), revoked_by = 'key_x'")
        await keys.ensure("two", tenant, "bootstrap")
        assert await keys.authenticate("two") is None, "whom an operator revoked stays revoked"

    @pytest.fixture
    def keys(self, database: Database) -> Keys:
        return Keys(database)

    async def test_wrong_keys_are_refused(self, client: httpx.AsyncClient) -> None:
        wrong: list[tuple[dict[str, object], str]] = [
            ({}, "label"),
            ({"label": ""}, "label"),
            ({"label": "a\nb"}, "label"),
            ({"label": "x", "tenant": 1}, "tenant"),
            ({"label": "x", "scopes": []}, "scopes"),
            ({"label": "x", "scopes": "admin"}, "scopes"),
            ({"label": "x", "scopes": ["root"]}, "scopes"),
            ({"label": "x", "expires_in_s": -1}, "expires_in_s"),
            ({"label": "x", "secret": "mine"}, "secret"),
        ]
        for body, param in wrong:
            check_problem(await client.post(f"{ADMIN}/keys", json=body), 422, param)


class TestTenants:
    async def test_a_tenants_life_is_in_the_audit_log(self, client: httpx.AsyncClient) -> None:
        tenant = await new_tenant(client, weight=2, max_queued=5)
        changed = await client.post(f"{ADMIN}/tenants/acme", json={"max_queued": None, "cost_per_day": 1.5})
        assert changed.json()["limits"]["max_queued"] is None
        assert (await client.get(f"{ADMIN}/tenants/{tenant}")).json() == changed.json()
        await new_key(client)
        assert (await client.delete(f"{ADMIN}/tenants/acme")).json()["id"] == tenant
        check_problem(await client.get(f"{ADMIN}/tenants/acme"), 404)
        page = (await client.get(f"{ADMIN}/audit", params={"tenant": tenant, "limit": 3})).json()
        assert [entry["action"] for entry in page["data"]] == ["tenant.deleted", "key.created", "tenant.set"]
        assert page["has_more"]
        assert page["data"][2]["details"] == {"max_queued": None, "cost_per_day": 1.5}
        assert all(entry["actor"].startswith("key_") for entry in page["data"])
        before = page["data"][-1]["id"]
        rest = (await client.get(f"{ADMIN}/audit", params={"tenant": tenant, "before": before})).json()
        assert [entry["action"] for entry in rest["data"]] == ["tenant.created"]

    async def test_a_name_is_there_once(self, client: httpx.AsyncClient) -> None:
        await new_tenant(client)
        for name in ("acme", "Acme", "a b", "acme\n", "", "ten_1", "x" * 65, None):
            check_problem(await client.post(f"{ADMIN}/tenants", json={"name": name}), 422, "name")
        again = {"Idempotency-Key": "t"}
        ids = {(await client.post(f"{ADMIN}/tenants", json={"name": "b"}, headers=again)).json()["id"] for _ in "12"}
        assert len(ids) == 1

    async def test_a_tenant_with_running_jobs_stays(
        self, app: FastAPI, client: httpx.AsyncClient, database: Database
    ) -> None:
        await new_tenant(client)
        async with client_of(app, await new_key(client)) as one:
            await one.post(JOBS, json=BODY)
        await PostgresJobStore(database).claim("w", 1, 60)
        check_problem(await client.delete(f"{ADMIN}/tenants/acme"), 422, "tenant")


class TestLimits:
    async def test_the_rate_is_said_and_kept(self, app: FastAPI, client: httpx.AsyncClient) -> None:
        await new_tenant(client, requests_per_minute=3)
        async with client_of(app, await new_key(client)) as one:
            answers = [await one.get(JOBS) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"requests";q=3;w=60'
        assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
        theirs = ("limit", "remaining", "reset")
        assert [answers[0].headers[f"x-ratelimit-{name}-requests"] for name in theirs] == ["3", "2", "20s"]
        check_problem(answers[3], 429)
        assert answers[3].json()["error"]["code"] == "rate_limit_exceeded"
        assert 15 <= int(answers[3].headers["retry-after"]) <= 20
        assert "x-should-retry" not in answers[3].headers

    async def test_redis_away_refuses_nobody(self, down: FastAPI, services: Services) -> None:
        """With Postgres there and Redis not, a tenant with a rate goes on."""
        services.rates = down.state.services.rates
        standing = await services.rates.spend("ten_1", 5)
        assert standing.allowed

    async def test_a_full_queue_pushes_back_and_a_replay_does_not_count(
        self, app: FastAPI, client: httpx.AsyncClient
    ) -> None:
        await new_tenant(client, max_queued=2)
        async with client_of(app, await new_key(client)) as one:
            headers = {"Idempotency-Key": "k"}
            assert [(await one.post(JOBS, json=BODY, headers=headers)).status_code for _ in range(3)] == [202] * 3
            assert (await one.post(JOBS, json=BODY)).status_code == 202
            refused = await one.post(JOBS, json=BODY)
            check_problem(refused, 429)
            assert (refused.json()["error"]["code"], refused.headers["retry-after"]) == ("queue_full", "5")
            assert (await one.post(JOBS, json=BODY, headers=headers)).status_code == 202
        assert (await client.post(JOBS, json=BODY)).status_code == 202, "other tenants go on"

    @pytest.mark.parametrize("limits", [{"tokens_per_day": 20}, {"cost_per_day": 0.00002}])
    async def test_a_days_quota_ends_the_day(
        self, app: FastAPI, client: httpx.AsyncClient, database: Database, limits: dict[str, float]
    ) -> None:
        await new_tenant(client, **limits)
        store = PostgresJobStore(database, Prices(generated=1.0))
        async with client_of(app, await new_key(client)) as one:
            for _ in range(2):
                assert (await one.post(JOBS, json=BODY)).status_code == 202
            (claim,) = await store.claim("w", 1, 60)
            await store.commit([progress(claim.job, claim.fence), ending(claim.job, claim.fence, 2)])
            refused = await one.post(JOBS, json=BODY)
            check_problem(refused, 429)
            assert refused.json()["error"]["code"] == "quota_exceeded"
            assert 1 <= int(refused.headers["retry-after"]) <= 86_400
            assert refused.headers.get("x-should-retry") == "false" or int(refused.headers["retry-after"]) <= 60
            assert await store.claim("w", 1, 60) == (), "what waits, waits for the next day"
            (day,) = (await one.get("/v1/usage")).json()["data"]
            assert (day["generated_tokens"], day["cost"], day["tenant"]) == (20, 0.00002, "acme")
        (all_days,) = (await client.get(f"{ADMIN}/usage", params={"tenant": "acme"})).json()["data"]
        assert all_days == day
        await run_sql(database, "UPDATE usage_days SET day = day - 1")
        assert len(await store.claim("w", 1, 60)) == 1
        assert (await client.get(f"{ADMIN}/usage", params={"since": day["day"]})).json()["data"] == []


async def test_the_bootstrap_key_is_the_operators(anonymous: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    assert (await anonymous.get(f"{ADMIN}/tenants", headers=headers)).status_code == 200
