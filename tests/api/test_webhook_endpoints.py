"""Webhook endpoints over HTTP: OpenAI's calls and shapes, secrets shown once, the delivery log, samples."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from api import endpoint_schemas as shapes
from api.endpoint_bodies import parse_new_endpoint
from api.services import Services
from domain.errors import InvalidRequest
from domain.webhook_events import BATCH_EVENTS, EVENT_TYPES, JOB_EVENTS, RESPONSE_EVENTS
from storage.database import Database
from tests.support.jobs import run_sql
from tests.support.problems import check_problem
from tests.support.receiver import Receiver

pytestmark = pytest.mark.integration

ENDPOINTS = "/v1/webhook_endpoints"
JOBS = "/v1/reasoning/jobs"
NEW = {"name": "hook", "url": "https://example.com/hook", "event_types": ["job.cancelled", "job.completed"]}


async def made(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    response = await client.post(ENDPOINTS, json=NEW | changes)
    assert response.status_code == 200, response.text
    shapes.EndpointWithSecret.model_validate_json(response.content)
    return dict(response.json())


async def cancelled_job(client: httpx.AsyncClient, **members: Any) -> str:
    job: str = (await client.post(JOBS, json={"problem": "1 + 1", **members})).json()["id"]
    await client.post(f"{JOBS}/{job}/cancel")
    return job


async def test_the_secret_is_shown_when_it_is_made_and_never_again(client: httpx.AsyncClient) -> None:
    one = await made(client)
    assert one["signing_secret"].startswith("whsec_")
    assert one["signing_secret_hint"] == "whsec_…" + one["signing_secret"][-4:]
    assert (one["enabled"], one["disabled_reason"], one["failing_since"]) == (True, None, None)
    read = await client.get(f"{ENDPOINTS}/{one['id']}")
    shapes.Endpoint.model_validate_json(read.content)
    listed = await client.get(ENDPOINTS)
    shapes.EndpointList.model_validate_json(listed.content)
    for response in (read, listed):
        assert one["signing_secret"] not in response.text
    rotated = (await client.post(f"{ENDPOINTS}/{one['id']}/rotate_secret", json={})).json()
    assert rotated["signing_secret"] != one["signing_secret"]
    bare = await client.post(f"{ENDPOINTS}/{one['id']}/rotate_secret")
    assert bare.json()["signing_secret"] not in (one["signing_secret"], rotated["signing_secret"])


async def test_a_repeated_rotation_is_one(client: httpx.AsyncClient) -> None:
    """Else the retry of a lost answer would end the secret that the receiver has, in spite of the overlap."""
    one = await made(client)
    keep = {"keep_old_secret_active_for_24_hours": True}
    url = f"{ENDPOINTS}/{one['id']}/rotate_secret"
    answers = [await client.post(url, json=keep, headers={"x-stainless-retry-count": str(at)}) for at in range(3)]
    (secret,) = {answer.json()["signing_secret"] for answer in answers}
    assert secret != one["signing_secret"]
    assert (await client.post(url, json=keep)).json()["signing_secret"] != secret


async def test_the_list_is_paged_newest_first(client: httpx.AsyncClient) -> None:
    ids = [(await made(client, name=f"n{number}"))["id"] for number in range(3)]
    first = (await client.get(ENDPOINTS, params={"limit": 2})).json()
    assert [one["id"] for one in first["data"]] == ids[:0:-1]
    assert (first["has_more"], first["first_id"], first["last_id"]) == (True, ids[2], ids[1])
    rest = (await client.get(ENDPOINTS, params={"limit": 2, "after": first["last_id"]})).json()
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([ids[0]], False)


async def test_an_update_changes_what_it_names(client: httpx.AsyncClient) -> None:
    one = await made(client)
    url = f"{ENDPOINTS}/{one['id']}"
    renamed = (await client.post(url, json={"name": "other"})).json()
    assert (renamed["name"], renamed["url"], renamed["event_types"]) == ("other", NEW["url"], sorted(
        NEW["event_types"], key=EVENT_TYPES.index
    ))  # fmt: skip
    changed = (await client.post(url, json={"event_types": ["response.failed"], "enabled": False})).json()
    assert (changed["event_types"], changed["enabled"], changed["disabled_reason"]) == (
        ["response.failed"],
        False,
        "owner",
    )
    again = (await client.post(url, json={"enabled": True})).json()
    assert (again["enabled"], again["disabled_reason"]) == (True, None)


async def test_a_deleted_endpoint_is_gone_with_its_log(client: httpx.AsyncClient) -> None:
    one = await made(client)
    job = await cancelled_job(client)
    response = await client.delete(f"{ENDPOINTS}/{one['id']}")
    assert response.json() == {"id": one["id"], "object": "webhook_endpoint.deleted", "deleted": True}
    check_problem(await client.get(f"{ENDPOINTS}/{one['id']}"), 404)
    check_problem(await client.delete(f"{ENDPOINTS}/{one['id']}"), 404)
    assert (await client.get(f"{JOBS}/{job}/deliveries")).json()["data"] == []


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"url": None}, "url"),
        ({"url": 5}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://printer.local/"}, "url"),
        ({"event_types": []}, "event_types"),
        ({"event_types": "job.completed"}, "event_types"),
        ({"event_types": ["job.completed", "response.completed"]}, "event_types"),
        ({"event_types": ["video.completed"]}, "event_types"),
        ({"event_types": [["job.completed"]]}, "event_types"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_what_an_endpoint_may_not_be(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_new_endpoint(NEW | changes, ())
    assert refused.value.param == param


async def test_a_tenant_has_so_many_endpoints_and_no_more(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.endpoints.MOST_ENDPOINTS", 2)
    await made(client)
    await made(client)
    check_problem(await client.post(ENDPOINTS, json=NEW), 400)


async def test_the_event_types_are_listed(client: httpx.AsyncClient) -> None:
    found = (await client.get("/v1/webhook_event_types")).json()
    assert found == {"object": "list", "data": [*RESPONSE_EVENTS, *BATCH_EVENTS, *JOB_EVENTS]}


async def test_an_end_goes_to_those_who_subscribed_to_it(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    wanted = await made(client)
    await made(client, event_types=["job.failed"])
    await made(client, event_types=list(RESPONSE_EVENTS))
    off = await made(client)
    await client.post(f"{ENDPOINTS}/{off['id']}", json={"enabled": False})
    await made(stranger)
    job = await cancelled_job(client, webhook_url="https://example.com/own")
    deliveries = (await client.get(f"{JOBS}/{job}/deliveries")).json()["data"]
    assert {one["endpoint_id"] for one in deliveries} == {None, wanted["id"]}
    assert {one["event_type"] for one in deliveries} == {"job.cancelled"}
    log = await client.get(f"{ENDPOINTS}/{wanted['id']}/deliveries")
    shapes.DeliveryPage.model_validate_json(log.content)
    (entry,) = log.json()["data"]
    assert (entry["job_id"], entry["status"]) == (job, "pending")
    none = await client.get(f"{ENDPOINTS}/{wanted['id']}/deliveries", params={"status": "dead"})
    assert none.json()["data"] == []
    detail = await client.get(f"/v1/webhook-deliveries/{entry['id']}")
    assert shapes.DeliveryDetail.model_validate_json(detail.content).attempt_log == []


async def test_a_job_says_which_ends_its_own_webhook_hears_of(client: httpx.AsyncClient) -> None:
    own = {"webhook_url": "https://example.com/own", "webhook_events": ["job.failed", "job.completed"]}
    job = await cancelled_job(client, **own)
    assert (await client.get(f"{JOBS}/{job}")).json()["webhook_events"] == ["job.completed", "job.failed"]
    assert (await client.get(f"{JOBS}/{job}/deliveries")).json()["data"] == []
    heard = await cancelled_job(client, **(own | {"webhook_events": ["job.cancelled"]}))
    assert len((await client.get(f"{JOBS}/{heard}/deliveries")).json()["data"]) == 1
    for wrong in ({"webhook_events": ["job.failed"]}, own | {"webhook_events": ["response.failed"]}):
        check_problem(await client.post(JOBS, json={"problem": "1 + 1", **wrong}), 422, "webhook_events")


async def test_a_response_is_announced_as_one(
    client: httpx.AsyncClient, services: Services, database: Database
) -> None:
    """The other surface marks its jobs; their ends are OpenAI's events, which name the response alone."""
    await made(client, event_types=["response.cancelled"])
    await made(client)
    job = (await client.post(JOBS, json={"problem": "1 + 1"})).json()["id"]
    await run_sql(database, "UPDATE jobs SET announces = 'response'")
    await client.post(f"{JOBS}/{job}/cancel")
    (due,) = await services.deliveries.claim_due(10, 60)
    assert due.body.startswith(b'{"id":"evt_')
    body = json.loads(due.body)
    assert (body["object"], body["type"], body["data"]) == (
        "event",
        "response.cancelled",
        {"id": job.replace("job_", "resp_")},
    )


async def test_a_sample_is_sent_at_once_and_signed(client: httpx.AsyncClient, receiver: Receiver) -> None:
    one = await made(client, url=receiver.url)
    response = await client.post(f"{ENDPOINTS}/{one['id']}/test", json={"event_type": "response.completed"})
    assert response.json() == {
        "object": "webhook_endpoint.test",
        "webhook_endpoint_id": one["id"],
        "event_type": "response.completed",
        "status_code": 200,
        "success": True,
    }
    event = Webhook(one["signing_secret"]).verify(receiver.received[0].body, receiver.received[0].headers)
    assert (event["type"], event["object"], event["data"]) == (
        "response.completed",
        "event",
        {"id": "response_test"},
    )
    receiver.answer = b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n"
    failed = await client.post(f"{ENDPOINTS}/{one['id']}/test", json={"event_type": "batch.failed"})
    assert (failed.status_code, failed.json()["status_code"]) == (200, 500)
    check_problem(
        await client.post(f"{ENDPOINTS}/{one['id']}/test", json={"event_type": "video.failed"}), 400, "event_type"
    )


async def test_a_sample_that_nobody_answers_says_so(client: httpx.AsyncClient, unused_tcp_port: int) -> None:
    one = await made(client, url=f"http://127.0.0.1:{unused_tcp_port}/")
    response = await client.post(f"{ENDPOINTS}/{one['id']}/test", json={"event_type": "job.failed"})
    check_problem(response, 422)
    assert (response.json()["error"]["code"], response.headers["x-should-retry"]) == ("webhook_unreachable", "false")


async def test_a_dead_delivery_of_a_disabled_endpoint_is_not_replayed_until_it_is_enabled(
    client: httpx.AsyncClient,
) -> None:
    one = await made(client)
    await cancelled_job(client)
    await client.post(f"{ENDPOINTS}/{one['id']}", json={"enabled": False})
    (entry,) = (await client.get(f"{ENDPOINTS}/{one['id']}/deliveries")).json()["data"]
    assert (entry["status"], entry["last_error"]) == ("dead", "not sent: the endpoint was disabled")
    replay = f"/v1/webhook-deliveries/{entry['id']}/replay"
    check_problem(await client.post(replay), 422)
    await client.post(f"{ENDPOINTS}/{one['id']}", json={"enabled": True})
    assert (await client.post(replay)).status_code == 202
