"""Every POST, made more than once, acts once: with a key on all of them, without one where the SDK retries."""

from __future__ import annotations

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from api.idempotency import OnceRoute
from storage.database import Database
from storage.keys import Keys
from storage.leases import PostgresJobStore
from tests.api.conftest import KEY, client_of
from tests.support.jobs import COST, ending, progress, scalar
from tests.support.problems import check_problem

pytestmark = pytest.mark.integration

JOBS = "/v1/reasoning/jobs"
BODY = {"problem": "1 + 1"}


class Lossy(httpx.AsyncBaseTransport):
    """The server answers, and the first answers are lost on their way: the client's read times out."""

    def __init__(self, app: FastAPI, losses: int) -> None:
        self._inner, self._losses = httpx.ASGITransport(app), losses

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        self._losses -= 1
        if self._losses >= 0:
            raise httpx.ReadTimeout("lost", request=request)
        return response


async def sent_as_the_sdk_does(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    """Two retries after the first attempt; each says its number, and none has a key."""
    for retry in range(3):
        try:
            return await client.post(JOBS, json=BODY, headers=headers | {"x-stainless-retry-count": str(retry)})
        except httpx.ReadTimeout:
            continue
    raise AssertionError("every attempt was lost")


async def test_two_lost_answers_make_one_job_and_one_charge(app: FastAPI, database: Database) -> None:
    auth = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=Lossy(app, 2), base_url="http://test", headers=auth) as client:
        response = await sent_as_the_sdk_does(client)
    assert response.status_code == 202
    assert response.headers["idempotent-replayed"] == "true"
    assert await scalar(database, "SELECT count(*) FROM jobs") == 1
    assert await scalar(database, "SELECT count(*) FROM outbox") == 1
    store = PostgresJobStore(database)
    (claim,) = await store.claim("w", 10, 60)
    assert claim.job == response.json()["id"]
    write = progress(claim.job, claim.fence)
    for _ in range(2):
        assert await store.commit([write]) == frozenset()
    await store.commit([ending(claim.job, claim.fence, 2)])
    assert await scalar(database, "SELECT sum(calls) FROM usage_days") == 1
    assert await scalar(database, "SELECT sum(generated_tokens) FROM usage_days") == COST.generated_tokens


async def test_without_retry_count_equal_requests_are_two(client: httpx.AsyncClient) -> None:
    ids = {(await client.post(JOBS, json=BODY)).json()["id"] for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize("count", ["-1", "x", "1.5", "", "9" * 30])
async def test_a_retry_count_that_makes_no_sense_is_none(client: httpx.AsyncClient, count: str) -> None:
    first = await client.post(JOBS, json=BODY)
    again = await client.post(JOBS, json=BODY, headers={"x-stainless-retry-count": count})
    assert again.status_code == 202
    assert again.json()["id"] != first.json()["id"]


async def test_a_post_without_a_creation_gives_its_first_answer_again(
    client: httpx.AsyncClient, database: Database
) -> None:
    job = (await client.post(JOBS, json=BODY | {"webhook_url": "https://example.com/"})).json()
    first = await client.post(f"{JOBS}/{job['id']}/cancel", headers={"Idempotency-Key": "c"})
    again = await client.post(f"{JOBS}/{job['id']}/cancel", headers={"Idempotency-Key": '"c"'})
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = (await client.post(JOBS, json=BODY)).json()["id"]
    check_problem(await client.post(f"{JOBS}/{other}/cancel", headers={"Idempotency-Key": "c"}), 422, "Idempotency-Key")
    check_problem(await client.post(JOBS, json=BODY, headers={"Idempotency-Key": "c"}), 422, "Idempotency-Key")


async def test_a_kept_answer_is_for_keys_that_may_see_it(
    app: FastAPI, client: httpx.AsyncClient, database: Database
) -> None:
    job = (await client.post(JOBS, json=BODY)).json()["id"]
    keys, headers = Keys(database), {"Idempotency-Key": "c"}
    assert (await client.post(f"{JOBS}/{job}/cancel", headers=headers)).status_code == 200
    for scope, status in (("jobs:read", 403), ("jobs:write", 200)):
        async with client_of(app, await keys.create(await keys.ensure_tenant(), "test", (scope,))) as other:
            assert (await other.post(f"{JOBS}/{job}/cancel", headers=headers)).status_code == status


async def test_a_refusal_frees_the_key(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    job = (await client.post(JOBS, json=BODY)).json()["id"]
    headers = {"Idempotency-Key": "c"}
    check_problem(await client.post(f"{JOBS}/{job}x/cancel", headers=headers), 404)
    assert (await client.post(f"{JOBS}/{job}/cancel", headers=headers)).status_code == 200
    check_problem(await stranger.post(f"{JOBS}/{job}/cancel", headers=headers), 404)


def router_of(route: BaseRoute) -> APIRouter:
    """An empty one: the application has routes of its own beside its routers."""
    router = APIRouter()
    router.routes.append(route)
    return router


def test_every_post_is_covered(app: FastAPI) -> None:
    documented = [item["post"] for item in app.openapi()["paths"].values() if "post" in item]
    assert all("Idempotency-Key" in [one["name"] for one in post["parameters"]] for post in documented)
    routes = [route for item in app.routes for route in getattr(item, "original_router", router_of(item)).routes]
    posts = [route for route in routes if isinstance(route, APIRoute) and "POST" in route.methods]
    assert len(posts) == len(documented) >= 3
    assert [route.path for route in posts if not isinstance(route, OnceRoute)] == []
