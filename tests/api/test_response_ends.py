"""Responses that are cancelled, deleted, not stored, or another's; nothing that is said is in a log."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest

from api.services import Services
from storage.database import Database
from tests.support.jobs import scalar
from tests.support.responses import QUESTION, URL, created, finished, streamed

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick")]


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


async def _only_job(database: Database) -> str:
    async with asyncio.timeout(5):
        while (job := await scalar(database, "SELECT id FROM jobs")) is None:
            await asyncio.sleep(0.02)
    return str(job)
