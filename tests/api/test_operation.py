"""Probes, metrics, the document of the API, and what happens while Postgres or Redis is away."""

import asyncio
import time
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from api import schemas
from api.app import create_app
from api.services import Services
from domain.effort import EFFORTS, adaptive_for
from domain.errors import ConfigurationError, Unavailable
from domain.recipe import DEFAULT_STRATEGY, spec_to_json
from domain.settings import Settings
from domain.verdict import ConfidenceKind
from messaging.presence import PARTS, Presence
from storage.keys import Keys
from tests.api.conftest import KEY, client_of
from tests.support.problems import check_problem
from tests.support.redis import TestRedis

pytestmark = pytest.mark.integration

JOBS = "/v1/reasoning/jobs"


async def test_alive_and_ready(anonymous: httpx.AsyncClient, redis_url: str) -> None:
    assert (await anonymous.get("/healthz")).json() == {"status": "ok"}
    response = await anonymous.get("/readyz")
    assert response.status_code == 200
    assert (response.json()["status"], response.json()["missing"]) == ("degraded", list(PARTS))
    presence = Presence(redis_url)
    await presence.announce(*PARTS)
    response = await anonymous.get("/readyz")
    assert (response.status_code, response.json()["status"], response.json()["missing"]) == (200, "ready", [])
    await presence.close()


async def test_without_redis_it_is_degraded_and_takes_jobs(
    anonymous: httpx.AsyncClient, client: httpx.AsyncClient, services: Services
) -> None:
    await services.presence.close()
    services.presence = Presence("redis://127.0.0.1:1/0")
    response = await anonymous.get("/readyz")
    assert response.status_code == 200
    assert response.json()["checks"]["redis"] == "unreachable"
    assert response.json()["status"] == "degraded"
    assert (await client.post(JOBS, json={"problem": "1 + 1"})).status_code == 202


async def test_without_postgres_it_is_alive_and_says_so(down: FastAPI) -> None:
    async with client_of(down, KEY) as client:
        assert (await client.get("/healthz")).status_code == 200
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
        assert ready.headers["retry-after"] == "2"
        for method, path in (("GET", JOBS), ("POST", JOBS), ("GET", "/v1/webhook-secret")):
            started = time.monotonic()
            response = await client.request(method, path, json={"problem": "1 + 1"} if method == "POST" else None)
            assert "database" in check_problem(response, 503)
            assert response.headers["retry-after"] == "2"
            assert "pw" not in response.text
            assert time.monotonic() - started < 5
        metrics = (await client.get("/metrics")).text
        assert "deliberate_database_up 0.0" in metrics


async def test_metrics_count_requests_jobs_and_webhooks(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    job = (await client.post(JOBS, json={"problem": "1 + 1", "webhook_url": "https://example.com"})).json()["id"]
    await client.post(f"{JOBS}/{job}/cancel")
    await client.post(JOBS, json={"problem": "1 + 1"})
    await client.get("/v1/some/secret/path")
    response = await anonymous.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    lines = set(response.text.splitlines())
    assert {
        'deliberate_http_requests_total{method="POST",route="/v1/reasoning/jobs",status="202"} 2.0',
        'deliberate_http_requests_total{method="GET",route="(unmatched)",status="404"} 1.0',
        'deliberate_http_request_seconds_count{method="POST",route="/v1/reasoning/jobs/{job_id}/cancel"} 1.0',
        'deliberate_jobs{status="queued"} 1.0',
        'deliberate_jobs{status="cancelled"} 1.0',
        'deliberate_jobs{status="completed"} 0.0',
        'deliberate_webhook_deliveries{state="pending"} 1.0',
        "deliberate_outbox_depth 3.0",
        "deliberate_database_up 1.0",
    } <= lines
    for text in (job, "secret", "default", KEY):
        assert text not in response.text


async def test_every_answer_has_a_request_id_and_is_not_cached(client: httpx.AsyncClient) -> None:
    ids = set()
    for path in ("/healthz", JOBS, "/nothing"):
        response = await client.get(path)
        assert response.headers["x-request-id"].startswith("req_")
        assert response.headers["cache-control"] == "no-store"
        ids.add(response.headers["x-request-id"])
    assert len(ids) == 3


async def test_strategies_are_described_with_their_bounds(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/reasoning/strategies")
    listed = schemas.StrategyList.model_validate_json(response.content)
    by_name = {strategy.name: strategy for strategy in listed.data}
    assert {"self_consistency", "best_of_n"} <= set(by_name)
    n = by_name["best_of_n"].parameters["n"]
    assert (n.type, n.default, n.minimum, n.maximum) == ("integer", 16, 1, 4096)
    assert by_name["best_of_n"].parameters["selection"].enum == ["weighted", "best"]
    width = by_name["beam"].parameters["width"]
    assert (width.type, width.minimum, width.words, n.words) == ("integer", 1, ["sqrt"], None)
    assert [strategy.name for strategy in listed.data if strategy.default] == [DEFAULT_STRATEGY]
    presets = {strategy.name: strategy.efforts for strategy in listed.data if strategy.efforts is not None}
    assert presets == {"adaptive": {level: spec_to_json(adaptive_for(level)) for level in EFFORTS}}
    for strategy in listed.data:
        body = {
            "problem": "1",
            "strategy": {"name": strategy.name} | {k: p.default for k, p in strategy.parameters.items()},
        }
        assert (await client.post(JOBS, json=body)).status_code == 202


async def test_the_examples_of_the_document_are_taken(anonymous: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    document = (await anonymous.get("/openapi.json")).json()
    examples = document["components"]["schemas"]["Submission"]["examples"]
    assert any("effort" in example for example in examples)
    for example in examples:
        assert (await client.post(JOBS, json=example)).status_code == 202


async def test_the_document_names_what_it_uses(anonymous: httpx.AsyncClient) -> None:
    document = (await anonymous.get("/openapi.json")).json()
    known = set(document["components"]["schemas"])
    assert {"Job", "JobList", "TracePage", "Problem", "Submission", "Budget"} <= known
    referenced = {part.split('"')[0] for part in str(document).replace("'", '"').split("#/components/schemas/")[1:]}
    assert referenced <= known
    assert "HTTPValidationError" not in str(document)
    submit = document["paths"][JOBS]["post"]
    assert submit["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Submission")
    assert {"202", "400", "401", "413", "415", "422", "503"} <= set(submit["responses"])
    assert set(submit["responses"]["202"]["headers"]) == {"Location", "Retry-After", "Idempotent-Replayed"}
    assert submit["responses"]["202"]["content"]["application/json"]["schema"]["$ref"].endswith("/Job")
    efforts = document["components"]["schemas"]["Submission"]["properties"]["effort"]["anyOf"][0]["enum"]
    assert efforts == list(EFFORTS)
    kinds = document["components"]["schemas"]["Job"]["properties"]["confidence_kind"]["anyOf"][0]["enum"]
    assert set(kinds) == set(ConfidenceKind)
    assert any(parameter["name"] == "Idempotency-Key" for parameter in submit["parameters"])
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


def test_missing_settings_are_named(settings: Settings) -> None:
    for name in ("database_url", "redis_url"):
        with pytest.raises(ConfigurationError, match=f"DELIBERATE_{name.upper()} is not set"):
            create_app(replace(settings, **{name: None}))  # type: ignore[arg-type]


async def test_it_gets_ready_when_postgres_comes(
    settings: Settings, redis_server: TestRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bootstrap is tried until it works; requests meanwhile are refused in good order."""
    monkeypatch.setattr("api.app.FIRST_TRY_S", 0.05)
    monkeypatch.setattr("api.bootstrap.RETRY_S", 0.05)
    real = Keys.ensure_tenant

    async def away(self: Keys, name: str = "default") -> object:
        raise Unavailable("the database can't be reached")

    monkeypatch.setattr(Keys, "ensure_tenant", away)
    app = create_app(settings)
    async with app.router.lifespan_context(app), client_of(app, KEY) as client:
        assert (await client.get("/readyz")).json()["checks"]["postgres"] == "starting"
        check_problem(await client.get(JOBS), 401)
        monkeypatch.setattr(Keys, "ensure_tenant", real)
        async with asyncio.timeout(5):
            while (await client.get(JOBS)).status_code != 200:
                await asyncio.sleep(0.02)
        assert (await client.get("/readyz")).status_code == 200
