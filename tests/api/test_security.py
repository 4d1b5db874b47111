"""Who may see what, and what never reaches a log."""

import logging
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.services import Services
from domain.errors import Unavailable
from domain.settings import Settings
from storage.database import Database
from storage.jobs import Jobs
from storage.keys import Keys
from tests.api.conftest import KEY, client_of
from tests.support.problems import check_problem
from tests.support.receiver import Receiver

pytestmark = pytest.mark.integration

JOBS = "/v1/reasoning/jobs"
NOBODY = "job_00000000000000000000000000"
OWNED = [
    ("GET", ""),
    ("GET", "/result"),
    ("GET", "/trace"),
    ("GET", "/deliveries"),
    ("POST", "/cancel"),
    ("DELETE", ""),
]
NO_KEY = "key_00000000000000000000000000"
NO_TENANT = "ten_00000000000000000000000000"
ADMIN = [
    *(("GET", f"/v1/admin/{part}") for part in ("tenants", "keys", "usage", "audit")),
    *(("POST", f"/v1/admin/{part}") for part in ("tenants", "keys")),
    *((method, f"/v1/admin/tenants/{NO_TENANT}") for method in ("GET", "POST", "DELETE")),
    ("POST", f"/v1/admin/keys/{NO_KEY}/rotate"),
    ("DELETE", f"/v1/admin/keys/{NO_KEY}"),
]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer wrong",
        b"Basic " + KEY.encode(),
        KEY.encode(),
        b"Bearer " + KEY.encode() + b"x",
        b"Bearer " + KEY.encode()[:-1],
        b"Bearer dlb_00000000000000000000000000_" + b"0" * 48,
        b"Bearer " + b"k" * 5000,
        "Bearer clé".encode(),
        b"Bearer a b",
        b"Bearer \x00",
    ],
)
async def test_wrong_keys(anonymous: httpx.AsyncClient, header: bytes) -> None:
    check_problem(await anonymous.get(JOBS, headers={b"Authorization": header}), 401)


async def test_the_scheme_may_be_in_any_case(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get(JOBS, headers={"Authorization": f"bearer {KEY}"})).status_code == 200


async def test_a_made_key_works_at_once(app: FastAPI, database: Database) -> None:
    keys = Keys(database)
    token = await keys.create(await keys.ensure_tenant(), "test")
    async with client_of(app, token) as client:
        assert (await client.get(JOBS)).status_code == 200


async def test_a_known_key_is_not_asked_for_again_at_once(
    client: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await client.get(JOBS)).status_code == 200

    async def fail(token: str) -> None:
        raise Unavailable("asked")

    monkeypatch.setattr(services.keys, "authenticate", fail)
    assert (await client.get(JOBS)).status_code == 200
    monkeypatch.setattr("api.security.REMEMBERED_S", 0.0)
    services.authenticator._known.clear()
    check_problem(await client.get(JOBS), 503)


@pytest.mark.parametrize(("method", "suffix"), OWNED)
async def test_anothers_job_looks_like_none(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, method: str, suffix: str
) -> None:
    job = (await client.post(JOBS, json={"problem": "1 + 1"})).json()["id"]
    theirs = await stranger.request(method, f"{JOBS}/{job}{suffix}")
    nobodys = await stranger.request(method, f"{JOBS}/{NOBODY}{suffix}")
    check_problem(theirs, 404)
    differing = {"request_id"}
    assert {k: v for k, v in theirs.json().items() if k not in differing} == {
        k: v for k, v in nobodys.json().items() if k not in differing
    }
    assert (await stranger.get(JOBS)).json()["data"] == []
    assert (await client.get(f"{JOBS}/{job}")).json()["status"] == "queued"


async def test_anothers_job_is_no_cursor_into_their_list(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    await client.post(JOBS, json={"problem": "1 + 1"})
    own = (await client.post(JOBS, json={"problem": "1 + 1"})).json()["id"]
    assert (await stranger.get(JOBS, params={"after": own})).json()["data"] == []


async def test_tenants_have_their_own_webhook_secret(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    secrets = {(await one.get("/v1/webhook-secret")).json()["secret"] for one in (client, stranger)}
    assert len(secrets) == 2
    assert all(secret.startswith("whsec_") for secret in secrets)


async def test_a_tenant_changes_its_webhook_secret_once_a_request(client: httpx.AsyncClient) -> None:
    """A retry whose first answer was lost would else end the secret that the receiver has."""
    before = (await client.get("/v1/webhook-secret")).json()["secret"]
    rotate, keep = "/v1/webhook-secret/rotate", {"keep_old_secret_active_for_24_hours": True}
    rotated = [
        (await client.post(rotate, json=keep, headers={"x-stainless-retry-count": str(retry)})).json()["secret"]
        for retry in range(3)
    ]
    assert len({before, *rotated}) == 2
    assert (await client.get("/v1/webhook-secret")).json()["secret"] == rotated[0]
    assert (await client.post(rotate)).json()["secret"] not in (before, *rotated)
    check_problem(await client.post(rotate, json={"keep": True}), 422, "keep")


async def test_deliveries_are_shown_and_replayed_by_their_owner_only(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, receiver: Receiver
) -> None:
    job = (await client.post(JOBS, json={"problem": "1 + 1", "webhook_url": receiver.url})).json()["id"]
    await client.post(f"{JOBS}/{job}/cancel")
    (delivery,) = (await client.get(f"{JOBS}/{job}/deliveries")).json()["data"]
    assert (delivery["status"], delivery["attempts"], delivery["url"]) == ("pending", 0, receiver.url)
    check_problem(await stranger.post(f"/v1/webhook-deliveries/{delivery['id']}/replay"), 404)
    response = await client.post(f"/v1/webhook-deliveries/{delivery['id']}/replay")
    assert response.status_code == 202
    assert response.json() == {"id": delivery["id"], "object": "webhook.delivery", "status": "pending"}


CANARIES = {
    name: f"canary-{name}-7f3a9" for name in ("problem", "key", "header", "query", "meta", "hook", "path", "crash")
}


async def test_no_prompt_key_or_secret_reaches_a_log(
    settings: Settings, database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Canaries in every place where input comes in, on good, refused and crashing requests."""
    app = create_app(replace(settings, api_keys=(CANARIES["key"],)))
    body = {
        "problem": CANARIES["problem"],
        "metadata": {"m": CANARIES["meta"]},
        "webhook_url": f"https://example.com/{CANARIES['hook']}",
    }
    with caplog.at_level(logging.DEBUG):
        async with app.router.lifespan_context(app), client_of(app, CANARIES["key"]) as client:
            params = {"q": CANARIES["query"]}
            headers = {"Idempotency-Key": CANARIES["header"]}
            good = await client.post(JOBS, json=body, params=params, headers=headers)
            assert good.status_code == 202
            secret = (await client.get("/v1/webhook-secret")).json()["secret"]
            url = f"{JOBS}/{good.json()['id']}"
            assert (await client.get(f"{url}/trace")).status_code == 200
            assert (await client.get(f"{JOBS}/{CANARIES['path']}")).status_code == 404
            assert (await client.get(f"/{CANARIES['path']}")).status_code == 404
            assert (await client.post(JOBS, json=body | {CANARIES["problem"]: 1})).status_code == 422
            assert (await client.post(JOBS, json=body | {"strategy": CANARIES["problem"]})).status_code == 422

            async def crash(*_: object) -> None:
                raise ValueError(CANARIES["crash"])

            monkeypatch.setattr(Jobs, "submit", crash)
            crashed = await client.post(JOBS, json=body)
            check_problem(crashed, 500)
            assert "canary" not in crashed.text
    logged = "\n".join(
        f"{record.getMessage()} {record.exc_text or ''} {record.exc_info or ''}"
        for record in caplog.records
        if record.name != "httpx"  # the client of this test
    )
    assert "ValueError at test_security.py" in logged, "the place of the defect is there"
    assert crashed.headers["x-request-id"] in logged
    for canary in (*CANARIES.values(), secret):
        assert canary not in logged
