"""Responses over HTTP, for tests in which the test itself plays the worker."""

from __future__ import annotations

import json
from typing import Any

import httpx

from api.facade import schemas
from domain.events import JobSubmitted
from storage.database import Database
from storage.leases import PostgresJobStore
from tests.support.rollouts import searched

URL = "/v1/responses"
QUESTION = "What is 6 · 7?"


async def created(client: httpx.AsyncClient, **members: object) -> dict[str, Any]:
    body = {"input": QUESTION, "background": True, **members}
    response = await client.post(URL, json=body)
    assert response.status_code == 200, response.text
    schemas.Response.model_validate_json(response.content)
    return dict(response.json())


async def got(client: httpx.AsyncClient, response_id: str) -> dict[str, Any]:
    response = await client.get(f"{URL}/{response_id}")
    assert response.status_code == 200, response.text
    schemas.Response.model_validate_json(response.content)
    return dict(response.json())


async def finished(database: Database, response: dict[str, Any], **how: Any) -> None:
    store = PostgresJobStore(database)
    assert await store.claim("worker", 1, 30)
    await store.commit([searched(response["deliberate"]["job_id"], **how)])


async def asked(database: Database) -> JobSubmitted:
    """What the only queued job asks of its worker."""
    (claim,) = await PostgresJobStore(database).claim("worker", 1, 30)
    assert isinstance(claim.events[0], JobSubmitted)
    return claim.events[0]


def events_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


async def streamed(client: httpx.AsyncClient, response_id: str, **params: Any) -> list[dict[str, Any]]:
    response = await client.get(f"{URL}/{response_id}", params={"stream": True, **params})
    assert response.headers["content-type"].startswith("text/event-stream")
    return events_of(response.text)
