"""The streams of responses: a log that is the same for whoever reads it, and what becomes of who leaves."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.facade import following
from api.services import Services
from domain.errors import Unavailable
from storage.database import Database
from tests.api.conftest import KEY, client_of
from tests.support.jobs import scalar
from tests.support.responses import QUESTION, URL, created, events_of, finished, got, streamed
from tests.support.rollouts import STEPS

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick")]


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


async def _only_job(database: Database) -> str:
    async with asyncio.timeout(5):
        while (job := await scalar(database, "SELECT id FROM jobs")) is None:
            await asyncio.sleep(0.02)
    return str(job)


async def _tenant_of(services: Services, response: str) -> Any:
    return await scalar(services.database, "SELECT tenant_id FROM responses WHERE id = :id", id=response)
