"""The life of a job over HTTP, on a real Postgres."""

import asyncio
import time
from dataclasses import replace

import httpx
import pytest

from api import schemas
from api.services import Services
from domain.effort import adaptive_for
from domain.events import JobSubmitted
from domain.recipe import DEFAULT_STRATEGY, SPECS, spec_to_json
from domain.verdict import ConfidenceKind, StopReason
from messaging.progress import RedisProgress
from storage.database import Database
from storage.leases import PostgresJobStore
from tests.support.jobs import ending, progress
from tests.support.problems import check_problem

pytestmark = pytest.mark.integration

JOBS = "/v1/reasoning/jobs"


async def submitted(client: httpx.AsyncClient, **members: object) -> dict:  # type: ignore[type-arg]
    response = await client.post(JOBS, json={"problem": "What is 6 · 7?", **members})
    assert response.status_code == 202, response.text
    return response.json()  # type: ignore[no-any-return]


async def claimed(database: Database) -> PostgresJobStore:
    store = PostgresJobStore(database)
    assert await store.claim("worker", 10, 30)
    return store


async def test_submitting_gives_the_whole_job(client: httpx.AsyncClient) -> None:
    response = await client.post(
        JOBS,
        json={
            "problem": [{"type": "text", "text": "What is"}, {"type": "input_text", "text": "6 · 7?"}],
            "strategy": {"name": "self_consistency", "n": 5},
            "budget": {"tokens": 1000, "seconds": 2.5},
            "confidence": 1,
            "webhook_url": "https://example.com/hook",
            "metadata": {"kind": "test", "ünï": "çode"},
            "seed": 2**63 - 1,
            "priority": -100,
        },
    )
    assert response.status_code == 202
    job = response.json()
    schemas.Job.model_validate_json(response.content)
    url = f"http://test{JOBS}/{job['id']}"
    assert response.headers["location"] == job["status_url"] == url
    assert response.headers["retry-after"] == "1"
    assert "idempotent-replayed" not in response.headers
    assert (job["result_url"], job["trace_url"], job["cancel_url"]) == (
        f"{url}/result",
        f"{url}/trace",
        f"{url}/cancel",
    )
    assert (job["object"], job["status"], job["queue_position"]) == ("reasoning.job", "queued", 0)
    assert job["strategy"] == {
        "name": "self_consistency",
        "n": 5,
        "temperature": 0.8,
        "top_p": 1.0,
        "max_tokens": 512,
    }
    assert job["budget"] == {"tokens": 1000, "flops": None, "rollouts": None, "seconds": 2.5}
    assert (job["confidence_target"], job["seed"], job["priority"]) == (1.0, 2**63 - 1, -100)
    assert job["metadata"] == {"kind": "test", "ünï": "çode"}
    assert job["webhook_url"] == "https://example.com/hook"
    assert abs(job["created_at"] - time.time()) < 5
    assert (job["answer"], job["confidence"], job["started_at"], job["ended_at"]) == (None, None, None, None)


async def test_what_is_left_out_has_its_default(client: httpx.AsyncClient) -> None:
    first, second = await submitted(client), await submitted(client)
    assert first["strategy"]["name"] == DEFAULT_STRATEGY
    assert first["budget"] == {"tokens": None, "flops": None, "rollouts": None, "seconds": None}
    assert (first["confidence_target"], first["priority"], first["metadata"], first["webhook_url"]) == (
        None,
        0,
        {},
        None,
    )
    assert first["seed"] != second["seed"]
    assert 0 <= first["seed"] < 2**63
    assert (first["queue_position"], second["queue_position"]) == (0, 1)


async def test_null_members_count_as_left_out(client: httpx.AsyncClient) -> None:
    nothing = dict.fromkeys(
        ["strategy", "effort", "budget", "confidence", "webhook_url", "metadata", "seed", "priority"]
    )
    assert (await submitted(client, **nothing))["strategy"]["name"] == DEFAULT_STRATEGY


@pytest.mark.parametrize("default", ["best_of_n", "adaptive"])
async def test_whatever_the_default_strategy_is_jobs_are_stored_and_read_with_it(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch, default: str
) -> None:
    """Switching it is one line: nothing else knows which one it is."""
    monkeypatch.setattr("domain.recipe.DEFAULT_STRATEGY", default)
    monkeypatch.setattr("api.views.DEFAULT_STRATEGY", default)
    job = await submitted(client)
    assert job["strategy"] == spec_to_json(SPECS[default]())
    store = PostgresJobStore(database)
    (claim,) = await store.claim("worker", 1, 30)
    assert isinstance(claim.events[0], JobSubmitted)
    assert claim.events[0].strategy == SPECS[default]()
    listed = schemas.StrategyList.model_validate_json((await client.get("/v1/reasoning/strategies")).content)
    assert [strategy.name for strategy in listed.data if strategy.default] == [default]


async def test_an_effort_is_stored_as_what_it_stands_for(client: httpx.AsyncClient, database: Database) -> None:
    job = await submitted(client, effort="low")
    assert job["strategy"] == spec_to_json(adaptive_for("low"))
    assert (job["confidence_target"], job["budget"]["rollouts"]) == (None, None)
    chosen = {"name": "adaptive", "n": 7}
    other = await submitted(client, effort="low", strategy=chosen, confidence=0.6, budget={"rollouts": 5})
    assert other["strategy"] == job["strategy"] | chosen
    assert (other["confidence_target"], other["budget"]["rollouts"]) == (0.6, 5)
    claims = await PostgresJobStore(database).claim("worker", 10, 30)
    first = {claim.job: claim.events[0] for claim in claims}
    assert [spec_to_json(first[one["id"]].strategy) for one in (job, other)] == [job["strategy"], other["strategy"]]


async def test_a_host_that_makes_no_sense_gives_relative_urls(client: httpx.AsyncClient) -> None:
    response = await client.post(JOBS, json={"problem": "1 + 1"}, headers={"Host": "[::1"})
    assert response.status_code == 202
    assert response.headers["location"].startswith("/v1/")


async def test_a_job_from_the_queue_to_its_end(client: httpx.AsyncClient, database: Database) -> None:
    job = await submitted(client)
    url = f"{JOBS}/{job['id']}"
    store = await claimed(database)
    await store.commit([progress(job["id"], 1)])
    running = await client.get(url)
    assert running.json()["status"] == "in_progress"
    assert running.headers["retry-after"] == "1"
    assert running.json()["usage"]["generated_tokens"] == 20
    assert running.json()["queue_position"] is None
    assert (await client.get(f"{url}/result")).status_code == 202
    await store.commit([ending(job["id"], 1, 2)])
    response = await client.get(f"{url}/result")
    assert response.status_code == 200
    assert "retry-after" not in response.headers
    done = response.json()
    schemas.Job.model_validate_json(response.content)
    assert (done["status"], done["answer"], done["confidence"]) == ("completed", "42", 0.75)
    assert (running.json()["confidence_kind"], done["confidence_kind"]) == (None, "agreement")
    assert (done["stop_reason"], done["why"]) == ("complete", "3 of 4 agree")
    assert done["solution"].endswith("\\boxed{42}")
    assert done["candidates"] == [{"answer": "42", "votes": 3, "weight": 0.75}]
    assert done["started_at"] <= done["ended_at"]
    assert (await client.get(url)).json() == done


async def test_a_fitted_confidence_is_shown_as_such(client: httpx.AsyncClient, database: Database) -> None:
    job = await submitted(client)
    store = await claimed(database)
    write = ending(job["id"], 1, 1)
    assert write.finish is not None
    fitted = replace(write.finish.verdict, confidence=0.93, confidence_kind=ConfidenceKind.CALIBRATED)
    await store.commit([replace(write, finish=replace(write.finish, verdict=fitted))])
    response = await client.get(f"{JOBS}/{job['id']}/result")
    shown = schemas.Job.model_validate_json(response.content)
    assert (shown.confidence, shown.confidence_kind) == (0.93, "calibrated")


async def test_a_failed_job_says_why(client: httpx.AsyncClient, database: Database) -> None:
    job = await submitted(client)
    store = await claimed(database)
    await store.commit([ending(job["id"], 1, 1, StopReason.ENGINE_FAILED)])
    response = await client.get(f"{JOBS}/{job['id']}")
    assert response.status_code == 200
    assert response.json()["error"] == {"code": "engine_error", "message": "every call failed"}


async def test_cancelling_is_idempotent_and_never_a_conflict(client: httpx.AsyncClient, database: Database) -> None:
    queued = await submitted(client)
    for _ in range(2):
        response = await client.post(f"{JOBS}/{queued['id']}/cancel")
        assert response.status_code == 200
        assert response.json()["status"] == "cancelled"
    running = await submitted(client)
    store = await claimed(database)
    for _ in range(2):
        response = await client.post(f"{JOBS}/{running['id']}/cancel")
        assert (response.status_code, response.json()["status"]) == (200, "in_progress")
        assert response.json()["cancel_requested"] is True
    await store.commit([ending(running["id"], 1, 1)])
    response = await client.post(f"{JOBS}/{running['id']}/cancel")
    assert (response.status_code, response.json()["status"]) == (200, "completed")


async def test_the_trace_comes_in_pages(client: httpx.AsyncClient, database: Database) -> None:
    job = await submitted(client)
    store = await claimed(database)
    await store.commit([progress(job["id"], 1, count=5)])
    url, after, seen = f"{JOBS}/{job['id']}/trace", -1, []
    while True:
        response = await client.get(url, params={"after": after, "limit": 3})
        page = schemas.TracePage.model_validate_json(response.content)
        seen += page.data
        after = page.next_after
        if not page.has_more:
            break
    assert [event.seq for event in seen] == list(range(6))
    assert [event.type for event in seen] == ["job_submitted"] + ["move_settled"] * 5
    rest = (await client.get(url, params={"after": after})).json()
    assert (rest["data"], rest["next_after"], rest["has_more"]) == ([], 5, False)


async def test_the_list_comes_in_pages_newest_first(client: httpx.AsyncClient) -> None:
    ids = [(await submitted(client))["id"] for _ in range(5)]
    await client.post(f"{JOBS}/{ids[0]}/cancel")
    first = schemas.JobList.model_validate_json((await client.get(JOBS, params={"limit": 2})).content)
    assert [job.id for job in first.data] == [ids[4], ids[3]]
    assert (first.has_more, first.last_id) == (True, ids[3])
    rest = (await client.get(JOBS, params={"after": first.last_id})).json()
    assert [job["id"] for job in rest["data"]] == [ids[2], ids[1], ids[0]]
    assert rest["has_more"] is False
    cancelled = (await client.get(JOBS, params={"status": "cancelled"})).json()
    assert [job["id"] for job in cancelled["data"]] == [ids[0]]
    nothing = (await client.get(JOBS, params={"status": "failed"})).json()
    assert nothing == {"object": "list", "data": [], "has_more": False, "last_id": None}


async def test_text_that_utf8_has_no_bytes_for_comes_back_all_the_same(
    client: httpx.AsyncClient, database: Database
) -> None:
    """A model may write half of a surrogate pair; the trace keeps it."""
    job = await submitted(client)
    store = await claimed(database)
    write = progress(job["id"], 1)
    event = write.events[0]
    odd = replace(event, outcome=replace(event.outcome, text="\ud800 π"))  # type: ignore[union-attr, type-var]
    await store.commit([replace(write, events=(odd,))])
    response = await client.get(f"{JOBS}/{job['id']}/trace")
    assert response.json()["data"][-1]["outcome"]["text"] == "\ud800 π"


class TestWaiting:
    async def test_an_ended_job_is_not_waited_for(self, client: httpx.AsyncClient) -> None:
        job = await submitted(client)
        await client.post(f"{JOBS}/{job['id']}/cancel")
        started = time.monotonic()
        response = await client.get(f"{JOBS}/{job['id']}", headers={"Prefer": "wait=30"})
        assert time.monotonic() - started < 1
        assert response.headers["preference-applied"] == "wait=30"

    async def test_the_wait_ends_with_the_time(self, client: httpx.AsyncClient) -> None:
        job = await submitted(client)
        started = time.monotonic()
        response = await client.get(f"{JOBS}/{job['id']}", headers={"Prefer": "respond-async, wait=1"})
        assert 0.9 < time.monotonic() - started < 2
        assert (response.status_code, response.json()["status"]) == (200, "queued")

    async def test_news_from_redis_ends_it_at_once(
        self, client: httpx.AsyncClient, services: Services, database: Database, redis_url: str
    ) -> None:
        while not services.watcher.connected:
            await asyncio.sleep(0.01)
        job = await submitted(client)
        store = await claimed(database)
        waiting = asyncio.create_task(client.get(f"{JOBS}/{job['id']}/result", headers={"Prefer": "wait=20"}))
        await asyncio.sleep(0.3)
        await store.commit([ending(job["id"], 1, 1)])
        started = time.monotonic()
        publisher = RedisProgress(redis_url)
        await publisher.publish([job["id"]], {job["id"]})
        response = await waiting
        assert time.monotonic() - started < 0.5
        assert (response.status_code, response.json()["status"]) == (200, "completed")
        await publisher.close()

    async def test_without_redis_it_costs_at_most_a_second(
        self, client: httpx.AsyncClient, services: Services, database: Database
    ) -> None:
        await services.watcher.close()
        services.watcher.connected = False
        job = await submitted(client)
        store = await claimed(database)
        waiting = asyncio.create_task(client.get(f"{JOBS}/{job['id']}", headers={"Prefer": "wait=20"}))
        await asyncio.sleep(0.3)
        await store.commit([ending(job["id"], 1, 1)])
        started = time.monotonic()
        assert (await waiting).json()["status"] == "completed"
        assert time.monotonic() - started < 1

    async def test_a_server_that_stops_answers_those_who_wait(
        self, client: httpx.AsyncClient, services: Services
    ) -> None:
        job = await submitted(client)
        waiting = asyncio.create_task(client.get(f"{JOBS}/{job['id']}", headers={"Prefer": "wait=30"}))
        await asyncio.sleep(0.2)
        started = time.monotonic()
        services.drain()
        assert (await waiting).json()["status"] == "queued"
        assert time.monotonic() - started < 1

    @pytest.mark.parametrize(
        ("prefer", "applied"),
        [
            ("wait=0", "wait=0"),
            ("WAIT=0", "wait=0"),
            ('wait="0"', "wait=0"),
            ("foo, wait=0; x=y", "wait=0"),
            ("wait", None),
            ("wait=-1", None),
            ("wait=1.5", None),
            ("wait=soon", None),
            ("waiting=3", None),
            ("", None),
        ],
    )
    async def test_preferences_as_rfc_7240_writes_them(
        self, client: httpx.AsyncClient, prefer: str, applied: str | None
    ) -> None:
        job = await submitted(client)
        response = await client.get(f"{JOBS}/{job['id']}", headers={"Prefer": prefer})
        assert response.headers.get("preference-applied") == applied

    async def test_nobody_waits_longer_than_a_minute(self, client: httpx.AsyncClient) -> None:
        job = await submitted(client)
        await client.post(f"{JOBS}/{job['id']}/cancel")
        response = await client.get(f"{JOBS}/{job['id']}", headers={"Prefer": "wait=9999"})
        assert response.headers["preference-applied"] == "wait=60"


class TestIdempotency:
    async def test_the_same_request_gives_the_same_job(self, client: httpx.AsyncClient) -> None:
        body = {"problem": "1 + 1", "budget": {"tokens": 10}}
        first = await client.post(JOBS, json=body, headers={"Idempotency-Key": "abc"})
        again = await client.post(
            JOBS,
            content=b'{ "budget": {"tokens": 10}, "problem": "1 + 1" }',
            headers={"Idempotency-Key": '"abc"', "Content-Type": "application/json"},
        )
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.json()["id"] == again.json()["id"]
        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"
        assert len((await client.get(JOBS)).json()["data"]) == 1

    async def test_another_body_is_refused(self, client: httpx.AsyncClient) -> None:
        await client.post(JOBS, json={"problem": "1 + 1"}, headers={"Idempotency-Key": "abc"})
        response = await client.post(JOBS, json={"problem": "1 + 2"}, headers={"Idempotency-Key": "abc"})
        check_problem(response, 422, "Idempotency-Key")
        assert response.json()["error"]["code"] == "idempotency_key_reused"

    async def test_two_at_once_make_one_job(self, client: httpx.AsyncClient) -> None:
        responses = await asyncio.gather(
            *(client.post(JOBS, json={"problem": "1 + 1"}, headers={"Idempotency-Key": "abc"}) for _ in range(8))
        )
        assert {response.status_code for response in responses} == {202}
        assert len({response.json()["id"] for response in responses}) == 1
        assert sum("idempotent-replayed" in response.headers for response in responses) == 7

    async def test_keys_belong_to_a_tenant(self, client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
        first = await client.post(JOBS, json={"problem": "1 + 1"}, headers={"Idempotency-Key": "abc"})
        other = await stranger.post(JOBS, json={"problem": "2 + 2"}, headers={"Idempotency-Key": "abc"})
        assert (first.status_code, other.status_code) == (202, 202)

    @pytest.mark.parametrize("key", ["", '""', "a b", '"a', "k" * 256, "clé"])
    async def test_malformed_keys_are_refused(self, client: httpx.AsyncClient, key: str) -> None:
        headers = {"Idempotency-Key": key.encode(), "Content-Type": b"application/json"}
        response = await client.post(JOBS, content=b'{"problem": "1"}', headers=headers)
        check_problem(response, 422, "Idempotency-Key")
