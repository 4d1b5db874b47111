"""Responses over HTTP on a real Postgres; a test plays the worker."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api import waiting
from api.facade import following, schemas
from api.services import Services
from domain.errors import Unavailable
from domain.events import JobSubmitted
from domain.verdict import StopReason
from search.rollouts import distinct, finished_rollouts, tokens_of
from storage.database import Database
from storage.leases import PostgresJobStore
from tests.api.conftest import KEY, client_of
from tests.support.jobs import scalar
from tests.support.rollouts import OTHER, STEPS, searched

pytestmark = pytest.mark.integration

URL = "/v1/responses"
QUESTION = "What is 6 · 7?"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test that plays the worker publishes nothing: the database is looked at often."""
    monkeypatch.setattr(waiting, "POLL_WITH_NEWS_S", 0.1)
    monkeypatch.setattr(following, "POLL_WITH_NEWS_S", 0.1)


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


async def test_a_response_in_the_background_from_its_creation_to_its_end(
    client: httpx.AsyncClient, database: Database
) -> None:
    made = await created(client, model="gpt-5", reasoning={"summary": "auto"}, metadata={"kind": "test"}, user="u-1")
    assert (made["status"], made["background"], made["output"], made["usage"]) == ("queued", True, [], None)
    assert (made["model"], made["reasoning"]) == ("deliberate", {"effort": "medium", "summary": "auto"})
    assert made["id"].partition("_")[2] == made["deliberate"]["job_id"].partition("_")[2]
    assert await scalar(database, "SELECT announces FROM jobs") == "response"
    await finished(database, made)
    done = await got(client, made["id"])
    assert (done["status"], done["metadata"], done["user"]) == ("completed", {"kind": "test"}, "u-1")
    reasoning, message = done["output"]
    assert [part["text"] for part in reasoning["summary"]] == ["6 · 7 is 42.", "The answer is \\boxed{42}."]
    assert message["content"][0]["text"] == STEPS
    own = done["deliberate"]
    assert (own["answer"], own["confidence"], own["stop_reason"]) == ("42", 0.75, "complete")
    assert done["usage"] == {
        "input_tokens": 30,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 60,
        "output_tokens_details": {"reasoning_tokens": 40},
        "total_tokens": 90,
    }
    assert await got(client, made["id"]) == done


async def test_parameters_become_a_search(client: httpx.AsyncClient, database: Database) -> None:
    made = await created(
        client,
        model="deliberate-low",
        instructions="Be brief.",
        max_output_tokens=500,
        temperature=0.6,
        deliberate={"confidence": 0.9, "budget": {"rollouts": 5, "tokens": 9000}, "seed": 11},
    )
    assert (made["max_output_tokens"], made["temperature"], made["instructions"]) == (500, 0.6, "Be brief.")
    first = await asked(database)
    assert first.problem.text == f"Be brief.\n\n{QUESTION}"
    assert (first.strategy.name, first.strategy.n, first.strategy.temperature) == ("adaptive", 16, 0.6)  # type: ignore[union-attr]
    assert (first.budget.tokens, first.budget.rollouts, first.confidence, first.seed) == (500, 5, 0.9, 11)


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
async def test_every_effort_is_taken(client: httpx.AsyncClient, effort: str) -> None:
    made = await created(client, reasoning={"effort": effort}, model="deliberate-low")
    assert made["reasoning"]["effort"] == effort
    named = await created(client, model=f"deliberate-{effort}")
    assert (named["model"], named["reasoning"]["effort"]) == (f"deliberate-{effort}", None)


async def test_temperature_0_repeats_the_search_and_never_votes_over_equal_samples(
    client: httpx.AsyncClient, database: Database
) -> None:
    first, second, third = [await created(client, temperature=0, input=text) for text in ("1 + 1", "1 + 1", "1 + 2")]
    assert first["deliberate"]["seed"] == second["deliberate"]["seed"] != third["deliberate"]["seed"]
    assert first["deliberate"]["strategy"]["temperature"] == 0.8
    greedy = await created(client, temperature=0, reasoning={"effort": "none"})
    assert greedy["deliberate"]["strategy"]["temperature"] == 0


async def test_a_conversation_goes_on(client: httpx.AsyncClient, database: Database) -> None:
    first = await created(client, instructions="Only once.")
    early = await client.post(URL, json={"input": "x", "previous_response_id": first["id"]})
    assert (early.status_code, early.json()["error"]["param"]) == (400, "previous_response_id")
    await finished(database, first)
    second = await created(client, input="And twice that?", previous_response_id=first["id"])
    assert second["previous_response_id"] == first["id"]
    assert (await asked(database)).problem.text == "\n\n".join(
        [f"User:\n{QUESTION}", f"Assistant:\n{STEPS}", "User:\nAnd twice that?"]
    )
    listed = await client.get(f"{URL}/{second['id']}/input_items", params={"order": "asc"})
    items = schemas.ItemList.model_validate_json(listed.content)
    assert [item.role for item in items.data] == ["user", "assistant", "user"]
    assert items.data[1].id == (await got(client, first["id"]))["output"][0]["id"]


async def test_input_items_come_in_pages(client: httpx.AsyncClient) -> None:
    turns = [{"role": role, "content": f"{role} {at}"} for at in range(3) for role in ("user", "assistant")]
    made = await created(client, input=[*turns, {"type": "reasoning", "id": "rs_1", "summary": []}])
    seen: list[str] = []
    after, url = None, f"{URL}/{made['id']}/input_items"
    while True:
        response = await client.get(url, params={"limit": 4} | ({"after": after} if after else {}))
        page = schemas.ItemList.model_validate_json(response.content)
        seen += [item.content[0].text for item in page.data]
        after = page.last_id
        if not page.has_more:
            break
    assert seen == [turn["content"] for turn in reversed(turns)]
    wrong = await client.get(url, params={"after": "msg_nobody"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (404, "after")


async def test_waiting_for_a_response_gives_it_at_its_end(client: httpx.AsyncClient, database: Database) -> None:
    asking = asyncio.create_task(client.post(URL, json={"input": QUESTION, "text": {"verbosity": "low"}}))
    job = await _only_job(database)
    await finished(database, {"deliberate": {"job_id": job}}, reason=StopReason.BUDGET_TOKENS)
    response = (await asking).json()
    assert (response["status"], response["background"]) == ("incomplete", False)
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][0]["content"][0]["text"] == "42"
    assert response["deliberate"]["stop_reason"] == "budget_tokens"
    assert await scalar(database, "SELECT announces FROM jobs") == "nothing"


async def test_what_ends_without_an_answer_shows_what_was_written(
    client: httpx.AsyncClient, database: Database
) -> None:
    made = await created(client, input="Write a line.")
    await finished(database, made, solutions=[(None, "Roses are red.")], reason=StopReason.NO_ANSWER)
    done = await got(client, made["id"])
    assert (done["status"], done["deliberate"]["answer"]) == ("incomplete", None)
    assert done["output"][0]["content"][0]["text"] == "Roses are red."


async def test_a_failed_response_has_a_code_of_the_closed_list(client: httpx.AsyncClient, database: Database) -> None:
    made = await created(client)
    await finished(database, made, solutions=[], reason=StopReason.ENGINE_FAILED)
    done = await got(client, made["id"])
    assert (done["status"], done["output"]) == ("failed", [])
    assert done["error"] == {"code": "server_error", "message": "every call failed"}
    assert done["deliberate"]["error_code"] == "engine_failed"


class TestStreams:
    async def test_the_log_of_an_ended_response(self, client: httpx.AsyncClient, database: Database) -> None:
        made = await created(client, reasoning={"summary": "detailed"})
        await finished(database, made)
        log = await streamed(client, made["id"])
        assert [event["sequence_number"] for event in log] == list(range(len(log)))
        kinds = [event["type"].removeprefix("response.") for event in log]
        once = [kind for at, kind in enumerate(kinds) if at == 0 or kind != kinds[at - 1]]
        part = [f"reasoning_summary_{kind}" for kind in ("part.added", "text.delta", "text.done", "part.done")]
        text = ["content_part.added", "output_text.delta", "output_text.done", "content_part.done"]
        item = ["output_item.added", "output_item.done"]
        assert once == ["created", "in_progress", item[0], *part, *part, item[1], item[0], *text, item[1], "completed"]
        deltas = [event["delta"] for event in log if event["type"] == "response.output_text.delta"]
        assert (len(deltas) > 1, "".join(deltas)) == (True, STEPS)
        assert log[0]["response"]["status"] == "queued"
        assert log[-1]["response"] == await got(client, made["id"])
        assert await streamed(client, made["id"]) == log
        assert await streamed(client, made["id"], starting_after=4) == log[5:]
        assert await streamed(client, made["id"], starting_after=len(log) + 7) == []

    async def test_a_line_end_of_unicode_breaks_no_event(self, client: httpx.AsyncClient, database: Database) -> None:
        made, text = await created(client), "a\u2028b\u2029c\x85d \ud800"
        await finished(database, made, solutions=[("d", text)])
        raw = (await client.get(f"{URL}/{made['id']}", params={"stream": True})).content.decode()
        lines = [json.loads(line[6:]) for line in raw.splitlines() if line.startswith("data: ")]
        assert lines[-1]["response"]["output"][0]["content"][0]["text"] == text

    async def test_the_log_is_the_same_in_another_process(
        self, client: httpx.AsyncClient, settings: Any, database: Database
    ) -> None:
        from api.app import create_app

        made = await created(client)
        await finished(database, made)
        log = await streamed(client, made["id"])
        other = create_app(settings)
        async with other.router.lifespan_context(other), client_of(other, KEY) as later:
            assert await streamed(later, made["id"]) == log

    async def test_a_stream_follows_the_job(
        self, client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(following, "PING_S", 0.05)
        asking = asyncio.create_task(client.post(URL, json={"input": QUESTION, "stream": True}))
        job = await _only_job(database)
        await asyncio.sleep(0.2)
        await finished(database, {"deliberate": {"job_id": job}})
        text = (await asking).text
        assert ": ping" in text
        log = events_of(text)
        assert (log[0]["type"], log[-1]["type"]) == ("response.created", "response.completed")
        assert log == await streamed(client, log[0]["response"]["id"])

    async def test_a_response_cancelled_before_it_began_ends_its_stream(self, client: httpx.AsyncClient) -> None:
        made = await created(client)
        await client.post(f"{URL}/{made['id']}/cancel")
        log = await streamed(client, made["id"])
        assert [event["type"] for event in log] == ["response.created", "response.incomplete"]
        assert log[-1]["response"]["status"] == "cancelled"

    async def test_a_response_that_is_deleted_meanwhile_ends_its_stream_with_an_error(
        self, client: httpx.AsyncClient
    ) -> None:
        made = await created(client)
        watching = asyncio.create_task(client.get(f"{URL}/{made['id']}", params={"stream": True}))
        await asyncio.sleep(0.1)
        await client.delete(f"{URL}/{made['id']}")
        last = events_of((await watching).text)[-1]
        assert last["error"]["code"] == "not_found"

    async def test_a_stream_outlives_a_short_outage_of_the_database_and_no_long_one(
        self, client: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = await created(client)
        read, failures = services.jobs.get, iter([Unavailable("away")] * 3)

        async def sometimes(*values: Any) -> Any:
            if (error := next(failures, None)) is not None:
                raise error
            return await read(*values)

        monkeypatch.setattr(services.jobs, "get", sometimes)
        watching = asyncio.create_task(client.get(f"{URL}/{made['id']}", params={"stream": True}))
        await asyncio.sleep(0.1)
        await services.jobs.cancel(await _tenant_of(services, made["id"]), made["deliberate"]["job_id"])
        assert events_of((await watching).text)[-1]["response"]["status"] == "cancelled"
        assert next(failures, None) is None

        monkeypatch.setattr(following, "OUTAGE_S", 0.0)
        failures = iter([Unavailable("away")] * 3)
        other = await created(client)
        text = (await client.get(f"{URL}/{other['id']}", params={"stream": True})).text
        assert events_of(text)[-1]["error"]["code"] == "service_unavailable"

    async def test_a_server_that_ends_says_so(self, client: httpx.AsyncClient, services: Services) -> None:
        made = await created(client)
        watching = asyncio.create_task(client.get(f"{URL}/{made['id']}", params={"stream": True}))
        await asyncio.sleep(0.1)
        services.drain()
        assert events_of((await watching).text)[-1]["error"]["code"] == "service_unavailable"
        waited = await client.post(URL, json={"input": QUESTION})
        assert (waited.status_code, waited.headers["x-should-retry"]) == (503, "true")


async def test_cancelling_is_idempotent_and_an_ended_one_is_returned(
    client: httpx.AsyncClient, database: Database
) -> None:
    made = await created(client)
    for _ in range(2):
        response = await client.post(f"{URL}/{made['id']}/cancel")
        assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    noted = await scalar(database, "SELECT actor FROM audit_log WHERE action = 'job.cancelled'")
    assert noted.startswith("key_"), "the log names the key that asked"
    ended = await created(client)
    await finished(database, ended)
    assert (await client.post(f"{URL}/{ended['id']}/cancel")).json()["status"] == "completed"


async def test_deleting_erases_the_job_and_all_that_was_said(client: httpx.AsyncClient, database: Database) -> None:
    made = await created(client)
    await finished(database, made)
    gone = await client.delete(f"{URL}/{made['id']}")
    assert gone.json() == {"id": made["id"], "object": "response", "deleted": True}
    for method, url in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
        assert (await client.request(method, f"{URL}/{made['id']}{url}")).status_code == 404
    for table in ("jobs", "events", "calls", "responses"):
        assert await scalar(database, f"SELECT count(*) FROM {table}") == 0


async def test_another_tenant_sees_nothing(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, database: Database
) -> None:
    made = await created(client)
    for method, url in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
        theirs = await stranger.request(method, f"{URL}/{made['id']}{url}")
        nobody = await stranger.request(method, f"{URL}/resp_{'0' * 26}{url}")
        bodies = [response.json() | {"request_id": ""} for response in (theirs, nobody)]
        assert (theirs.status_code, bodies[0]) == (404, bodies[1])
    went_on = await stranger.post(URL, json={"input": "x", "previous_response_id": made["id"]})
    assert went_on.json()["error"]["code"] == "previous_response_not_found"


async def test_what_is_not_to_be_stored_can_be_read_by_nobody_and_is_erased(
    client: httpx.AsyncClient, database: Database, services: Services
) -> None:
    asking = asyncio.create_task(client.post(URL, json={"input": QUESTION, "store": False}))
    job = await _only_job(database)
    await finished(database, {"deliberate": {"job_id": job}})
    response = (await asking).json()
    assert (response["status"], response["store"]) == ("completed", False)
    assert (await client.get(f"{URL}/{response['id']}")).status_code == 404
    assert (await services.responses.purge_unstored(3600), await services.responses.purge_unstored(0)) == (0, 1)
    assert await scalar(database, "SELECT count(*) FROM jobs") == 0
    refused = await client.post(URL, json={"input": QUESTION, "store": False, "background": True})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "store")


async def test_the_same_key_gives_the_same_response(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "one"}
    body = {"input": QUESTION, "background": True}
    first, again = [(await client.post(URL, json=body, headers=headers)).json() for _ in range(2)]
    assert first["id"] == again["id"]
    elsewhere = await client.post("/v1/reasoning/jobs", json={"problem": QUESTION}, headers=headers)
    assert elsewhere.status_code == 422


async def test_a_retry_of_the_sdk_gives_the_same_response(client: httpx.AsyncClient, database: Database) -> None:
    body = {"input": QUESTION, "background": True}
    answers = [await client.post(URL, json=body, headers={"x-stainless-retry-count": str(at)}) for at in range(3)]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true", "true"]
    assert await scalar(database, "SELECT count(*) FROM jobs") == 1


async def test_nothing_that_is_said_reaches_a_log(
    client: httpx.AsyncClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await created(client, input="canary", instructions="canary", metadata={"canary": "canary"}, user="canary")
    await finished(database, made, solutions=[("canary", "canary")])
    await streamed(client, made["id"])
    for wrong in ({"input": "canary", "colour": "canary"}, {"input": [{"role": "canary", "content": "canary"}]}):
        assert (await client.post(URL, json=wrong)).status_code == 400
    assert f"GET {URL}/{made['id']}" in caplog.text
    assert "canary" not in caplog.text


class TestLeaving:
    async def test_who_leaves_a_response_that_is_not_in_the_background_cancels_it(
        self, app: FastAPI, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(following, "GRACE_S", 0.1)
        made = await created(client)
        services: Services = app.state.services
        record = await services.responses.get(await _tenant_of(services, made["id"]), made["id"])
        departures: following.Departures = app.state.departures
        left = await services.responses.attach(record.job.tenant, record.id)
        back = await services.responses.attach(record.job.tenant, record.id)
        departures.left(services, record, left)
        await asyncio.sleep(0.3)
        assert (await got(client, made["id"]))["status"] == "queued"
        departures.left(services, record, back)
        await asyncio.sleep(0.3)
        assert (await got(client, made["id"]))["status"] == "cancelled"


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"input": 3}, "input"),
    ({"input": ""}, "input"),
    ({}, "input"),
    ({"input": [{"role": "king", "content": "x"}]}, "input.0.role"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "u"}]}]}, "input.0.content.0"),
    ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input.0.content.0"),
    ({"input": [{"type": "function_call_output", "output": "x"}]}, "input.0.type"),
    ({"input": "x", "tools": [{"type": "web_search"}]}, "tools"),
    ({"input": "x", "tool_choice": "required"}, "tool_choice"),
    ({"input": "x", "text": {"format": {"type": "json_schema"}}}, "text.format.type"),
    ({"input": "x", "reasoning": {"effort": "heroic"}}, "reasoning.effort"),
    ({"input": "x", "reasoning": {"summary": 1}}, "reasoning.summary"),
    ({"input": "x", "reasoning": []}, "reasoning"),
    ({"input": "x", "temperature": 3}, "temperature"),
    ({"input": "x", "top_p": True}, "top_p"),
    ({"input": "x", "max_output_tokens": 0}, "max_output_tokens"),
    ({"input": "x", "metadata": {"a": 1}}, "metadata.a"),
    ({"input": "x", "model": ""}, "model"),
    ({"input": "x", "conversation": "conv_1"}, "conversation"),
    ({"input": "x", "prompt": {"id": "p"}}, "prompt"),
    ({"input": "x", "background": 1}, "background"),
    ({"input": "x", "colour": "red"}, "colour"),
    ({"input": "x", "previous_response_id": 7}, "previous_response_id"),
    ({"input": "x", "deliberate": 7}, "deliberate"),
    ({"input": "x", "deliberate": {"problem": "y"}}, "deliberate.problem"),
    ({"input": "x", "deliberate": {"effort": "low"}}, "deliberate.effort"),
    ({"input": "x", "deliberate": {"strategy": "magic"}}, "deliberate.strategy.name"),
    ({"input": "x", "deliberate": {"strategy": "beam"}, "reasoning": {"effort": "low"}}, "reasoning.effort"),
    ({"input": "x", "deliberate": {"budget": {"tokens": -1}}, "max_output_tokens": 5}, "deliberate.budget.tokens"),
]


async def test_what_would_change_the_meaning_is_refused_with_its_name(client: httpx.AsyncClient) -> None:
    for body, param in REFUSALS:
        response = await client.post(URL, json=body)
        error = response.json()["error"]
        assert (response.status_code, error["param"], error["type"]) == (400, param, "invalid_request_error"), body
        assert response.headers["x-request-id"] == response.json()["request_id"]
    ours = await client.post(URL, json={"input": "x", "model": "deliberate-heroic"})
    assert (ours.status_code, ours.json()["error"]["code"]) == (404, "model_not_found")


async def test_what_only_tunes_is_ignored(client: httpx.AsyncClient) -> None:
    await created(
        client, tools=[], tool_choice="auto", parallel_tool_calls=False, truncation="auto", service_tier="flex",
        include=["reasoning.encrypted_content"], top_logprobs=0, prompt_cache_key="k", max_tool_calls=3,
        text={"format": {"type": "text"}}, stream_options={"include_obfuscation": False}, conversation=None,
    )  # fmt: skip


async def test_a_shown_solution_counts_as_output_and_the_others_as_reasoning() -> None:
    rollouts = finished_rollouts(searched("job_x").events)
    assert [one.text for one in distinct(OTHER, rollouts, 3)] == [OTHER, STEPS, STEPS]
    assert [tokens_of(text, rollouts) for text in (STEPS, f"Begin.\n\n{OTHER}", "?", None)] == [20, 20, 0, 0]


async def _only_job(database: Database) -> str:
    async with asyncio.timeout(5):
        while (job := await scalar(database, "SELECT id FROM jobs")) is None:
            await asyncio.sleep(0.02)
    return str(job)


async def _tenant_of(services: Services, response: str) -> Any:
    return await scalar(services.database, "SELECT tenant_id FROM responses WHERE id = :id", id=response)
