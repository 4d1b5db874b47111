"""Finding jobs: labels, metadata, states and times; deadlines and estimates as the API shows them."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from api.services import Services
from domain.ids import JobId
from storage.database import Database
from storage.deadlines import end_overdue
from storage.leases import PostgresJobStore
from tests.support.jobs import ending, run_sql
from tests.support.problems import check_problem

pytestmark = pytest.mark.integration

JOBS = "/v1/reasoning/jobs"


async def made(client: httpx.AsyncClient, **members: Any) -> dict[str, Any]:
    response = await client.post(JOBS, json={"problem": "1 + 1", **members})
    assert response.status_code == 202, response.text
    return dict(response.json())


async def found(client: httpx.AsyncClient, **params: Any) -> list[str]:
    response = await client.get(JOBS, params=params)
    assert response.status_code == 200, response.text
    return [job["id"] for job in response.json()["data"]]


async def test_jobs_are_found_by_labels_and_metadata(client: httpx.AsyncClient) -> None:
    plain = (await made(client))["id"]
    one = await made(client, labels=["night", "math", "night"], metadata={"run": "7", "ünï": "a=b&c"})
    other = (await made(client, labels=["night"], metadata={"run": "8"}))["id"]
    odd = (await made(client, metadata={"run": "a\x00b"}))["id"]
    assert one["labels"] == ["night", "math"]
    assert await found(client) == [odd, other, one["id"], plain]
    assert await found(client, label="night") == [other, one["id"]]
    assert await found(client, label=["night", "math"]) == [one["id"]]
    assert await found(client, **{"metadata[run]": "7"}) == [one["id"]]
    assert await found(client, **{"metadata[run]": "7", "metadata[ünï]": "a=b&c", "label": "math"}) == [one["id"]]
    assert await found(client, **{"metadata[run]": "9"}) == []


async def test_jobs_are_found_by_state_and_time(client: httpx.AsyncClient, database: Database) -> None:
    old, new = (await made(client))["id"], (await made(client))["id"]
    await client.post(f"{JOBS}/{new}/cancel")
    assert await found(client, status="cancelled") == [new]
    assert await found(client, status=["cancelled", "queued"]) == [new, old]
    await run_sql(database, "UPDATE jobs SET created_at = created_at - interval '10 minutes' WHERE id = :id", id=old)
    then = time.time() - 300
    assert await found(client, created_after=then) == [new]
    assert await found(client, created_before=then) == [old]
    assert await found(client, created_before="2020-01-01T00:00:00Z") == []
    assert await found(client, created_after="0", created_before="253402300799") == [new, old]


@pytest.mark.parametrize(
    "params",
    [
        {"created_after": "soon"},
        {"created_before": "2025-11-20T12:00:00"},
        {"metadata[]": "x"},
        {"metadata[run]": "x" * 513},
        {"status": "over"},
        {"label": ["x"] * 17},
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(client: httpx.AsyncClient, params: dict[str, Any]) -> None:
    assert (await client.get(JOBS, params=params)).status_code == 422


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"labels": "night"}, "labels"),
        ({"labels": [""]}, "labels"),
        ({"labels": ["x" * 65]}, "labels"),
        ({"labels": ["a\x00"]}, "labels"),
        ({"labels": [f"l{number}" for number in range(17)]}, "labels"),
        ({"deadline": "yesterday"}, "deadline"),
        ({"deadline": 1}, "deadline"),
        ({"deadline": True}, "deadline"),
        ({"deadline": "2999-01-01T00:00:00Z"}, "deadline"),
        ({"deadline_seconds": 0}, "deadline_seconds"),
        ({"deadline_seconds": "5"}, "deadline_seconds"),
        ({"deadline_seconds": 5, "deadline": 9_999_999_999}, "deadline_seconds"),
    ],
)
async def test_labels_and_deadlines_that_make_no_sense_are_refused(
    client: httpx.AsyncClient, members: dict[str, Any], param: str
) -> None:
    response = await client.post(JOBS, json={"problem": "1 + 1", **members})
    check_problem(response, 422, param)


async def test_a_deadline_is_shown_and_ends_what_nobody_began(client: httpx.AsyncClient, database: Database) -> None:
    job = await made(client, deadline_seconds=60)
    assert abs(job["deadline"] - time.time() - 60) < 5
    at = await made(client, deadline=int(time.time()) + 100)
    assert at["deadline"] == int(at["deadline"])
    await run_sql(database, "UPDATE jobs SET deadline = now() WHERE id = :id", id=job["id"])
    assert await end_overdue(database) == 1
    ended = (await client.get(f"{JOBS}/{job['id']}")).json()
    assert (ended["status"], ended["stop_reason"], ended["answer"]) == ("incomplete", "deadline", None)
    trace = (await client.get(f"{JOBS}/{job['id']}/trace")).json()["data"]
    assert [event["type"] for event in trace] == ["job_submitted", "job_stopped"]
    assert (await client.get(f"{JOBS}/{at['id']}")).json()["status"] == "queued"


async def test_a_worker_is_told_how_long_it_has(client: httpx.AsyncClient, database: Database) -> None:
    await made(client, deadline_seconds=60)
    (claim,) = await PostgresJobStore(database).claim("worker", 1, 30)
    assert claim.deadline_s is not None
    assert 50 < claim.deadline_s <= 60
    await made(client)
    (endless,) = await PostgresJobStore(database).claim("worker", 1, 30)
    assert endless.deadline_s is None


async def test_estimates_come_from_what_ended_lately(
    client: httpx.AsyncClient, services: Services, database: Database
) -> None:
    first = await made(client)
    assert (first["estimated_start_at"], first["estimated_finish_at"]) == (None, None)
    store = PostgresJobStore(database)
    for _ in range(3):
        await made(client)
    for claim in await store.claim("worker", 10, 30):
        await store.commit([ending(claim.job, claim.fence, 1)])
    running = JobId((await made(client))["id"])
    await store.claim("worker", 1, 30)
    queued = await made(client)
    services.pace._known.clear()
    job = (await client.get(f"{JOBS}/{queued['id']}")).json()
    assert job["estimated_start_at"] >= job["created_at"]
    assert job["estimated_finish_at"] >= job["estimated_start_at"]
    begun = (await client.get(f"{JOBS}/{running}")).json()
    assert begun["estimated_start_at"] == begun["started_at"]
