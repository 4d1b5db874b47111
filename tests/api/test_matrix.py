"""Two tenants and every route of the OpenAPI document: nobody reads or writes what is another's, or learns that it is.

Nothing here knows a route by name: what is added later is covered by its documentation.
"""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema
import pytest
from fastapi import FastAPI

from tests.support.problems import check_problem
from tests.support.routes import SHARED, Operation, make_things, nobodys, operations

pytestmark = pytest.mark.integration


OPERATORS = "/v1/admin/"


def told(response: httpx.Response) -> tuple[int, Any, str | None]:
    """What a caller can tell two answers apart by."""
    body = response.json() if "json" in response.headers.get("content-type", "") else response.content
    if isinstance(body, dict):
        body.pop("request_id", None)
    return response.status_code, body, response.headers.get("content-type")


def owned(found: list[Operation]) -> list[Operation]:
    return [one for one in found if set(one.parameters) - SHARED]


async def test_every_route_needs_a_key(app: FastAPI, anonymous: httpx.AsyncClient) -> None:
    found = operations(app)
    assert len(found) >= 20
    for operation in found:
        values = {name: f"{name}_x" for name in operation.parameters}
        response = await operation.call(anonymous, values)
        check_problem(response, 401)
        assert response.headers["www-authenticate"] == "Bearer", operation.name
        assert response.json()["error"]["code"] == "invalid_api_key"


async def test_what_is_anothers_looks_like_what_is_not_there_and_is_not_touched(
    app: FastAPI, client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    found = operations(app)
    values = await make_things(client, found)
    reads = [one for one in owned(found) if one.method == "GET"]
    assert len(reads) >= 5
    before = {one.name: told(await settled(client, one, values)) for one in reads}
    assert all(status < 300 for status, *_ in before.values()), before
    for operation in owned(found):
        theirs = await operation.call(stranger, values)
        nobody = await operation.call(stranger, nobodys(values))
        refusal = 403 if operation.path.startswith(OPERATORS) else 404
        assert theirs.status_code == refusal, (operation.name, theirs.text)
        assert told(theirs) == told(nobody), operation.name
    after = {one.name: told(await settled(client, one, values)) for one in reads}
    assert {name: status for name, (status, *_) in after.items()} == {
        name: status for name, (status, *_) in before.items()
    }
    changed = [name for name in before if _lasting(before[name]) != _lasting(after[name])]
    assert changed == []


async def test_a_body_that_names_anothers_thing_is_answered_as_if_there_were_none(
    app: FastAPI, client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    found = operations(app)
    values = await make_things(client, found)
    things = {name: value for name, value in values.items() if name not in SHARED}
    tried = set()
    for operation in found:
        for member in operation.members:
            parameter = next((name for name in things if member == name or member.endswith(f"_{name}")), None)
            if parameter is None:
                continue
            body = operation.body | {member: things[parameter]}
            theirs = await stranger.request(operation.method, operation.at(values), json=body)
            body[member] = nobodys(things)[parameter]
            nobody = await stranger.request(operation.method, operation.at(values), json=body)
            assert theirs.status_code in (400, 403, 404), (operation.name, member, theirs.text)
            assert told(theirs) == told(nobody), (operation.name, member)
            tried.add(member)
    assert {"input_file_id", "previous_response_id"} <= tried


async def test_no_list_shows_what_is_anothers(
    app: FastAPI, client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    found = operations(app)
    values = await make_things(client, found)
    ids = {value for name, value in values.items() if name not in SHARED}
    lists = [one for one in found if one.method == "GET" and not one.parameters]
    own = "".join([(await one.call(client, {})).text for one in lists])
    assert sum(id in own for id in ids) >= 2, "the owner does see them"
    for operation in lists:
        response = await operation.call(stranger, {})
        assert not [id for id in ids if id in response.text], operation.name


def test_every_body_has_an_example_that_fits_its_schema(app: FastAPI) -> None:
    document = app.openapi()
    assert document["openapi"].startswith("3.1")
    checked = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
            for status, body in bodies.items():
                for kind, content in body.get("content", {}).items():
                    if "json" not in kind or kind == "application/x-ndjson" or not content.get("schema"):
                        continue
                    assert "example" in content or "examples" in content, (method, path, status)
                    given = content.get("example", None) or next(
                        (one["value"] for one in content.get("examples", {}).values()), None
                    )
                    schema = content["schema"] | {"components": document["components"]}
                    jsonschema.validate(given, schema)
                    checked += 1
    assert checked >= 60


async def test_every_example_of_a_request_is_taken(app: FastAPI, client: httpx.AsyncClient) -> None:
    """Whoever begins by copying one is not refused. Chats wait for an answer, and nobody works here."""
    found = operations(app)
    values = await make_things(client, found)
    taken = [one for one in found if one.body is not None and one.path != "/v1/chat/completions"]
    assert len(taken) >= 10
    for operation in taken:
        answer = await operation.call(client, values)
        code = answer.json()["error"]["code"] if answer.is_error else None
        assert answer.is_success or code == "webhook_unreachable", (operation.name, answer.text)


def test_every_operation_says_what_it_is(app: FastAPI) -> None:
    for path, item in app.openapi()["paths"].items():
        for method, operation in item.items():
            assert operation.get("summary"), (method, path)
            assert operation.get("description"), (method, path)
            assert operation.get("tags"), (method, path)


async def settled(client: httpx.AsyncClient, operation: Operation, values: dict[str, str]) -> httpx.Response:
    """A read; streams of things that have not ended would go on."""
    if operation.path.endswith("/events"):
        return httpx.Response(200, json={})
    return await operation.call(client, values)


def _lasting(answer: tuple[int, Any, str | None]) -> Any:
    """Without what time alone changes."""
    status, body, _ = answer
    passing = {"usage", "queue_position", "estimated_start_at", "estimated_finish_at"}
    return (status, {k: v for k, v in body.items() if k not in passing} if isinstance(body, dict) else body)
