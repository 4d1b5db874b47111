"""The routes of the API as its own OpenAPI document says them, and things of a tenant to call them with.

Generic: a route that is new is covered when its document has an example body. What can't be made by posting the
example to the collection above it has a maker here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

METHODS = ("get", "post", "put", "patch", "delete")
_PARAMETER = re.compile(r"\{([^}]+)\}")
_JOB = {"problem": "1 + 1"}
_LINE = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"model": "policy", "input": "1 + 1"}}

Maker = Callable[[httpx.AsyncClient], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    """With `{parameters}`."""
    body: Any
    """The example of its JSON body; None without one."""
    members: frozenset[str]
    """What its JSON body may have."""

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(_PARAMETER.findall(self.path))

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def at(self, values: dict[str, str]) -> str:
        return _PARAMETER.sub(lambda match: values[match[1]], self.path)

    async def call(self, client: httpx.AsyncClient, values: dict[str, str]) -> httpx.Response:
        body = {} if self.body is None else {"json": _with_ids(self.body, values)}
        return await client.request(self.method, self.at(values), **body)


def operations(app: FastAPI) -> list[Operation]:
    """Every documented operation under /v1."""
    return [
        Operation(
            method.upper(), path, _example(operation), _members(operation, app.openapi()["components"]["schemas"])
        )
        for path, item in app.openapi()["paths"].items()
        for method, operation in item.items()
        if path.startswith("/v1") and method in METHODS
    ]


async def make_things(client: httpx.AsyncClient, found: list[Operation]) -> dict[str, str]:
    """An id for every path parameter of these operations, of things that belong to the client's tenant."""
    values: dict[str, str] = {}
    for operation in found:
        for parameter in operation.parameters:
            if parameter not in values:
                values[parameter] = await _make(client, parameter, operation.path, found)
    return values


def nobodys(values: dict[str, str]) -> dict[str, str]:
    """Ids of the same form that nobody has."""
    return {name: f"{value.rsplit('_', 1)[0]}_{'0' * 26}" for name, value in values.items()}


async def _make(client: httpx.AsyncClient, parameter: str, path: str, found: list[Operation]) -> str:
    maker = MAKERS.get(parameter)
    if maker is not None:
        return await maker(client)
    collection = path[: path.index("{" + parameter + "}")].rstrip("/")
    post = next((one for one in found if (one.method, one.path) == ("POST", collection)), None)
    assert post is not None, f"nothing makes {parameter} of {path}: add a maker to tests/support/routes.py"
    response = await post.call(client, {})
    assert response.is_success, f"the example of POST {collection} was refused: {response.text}"
    return str(response.json()["id"])


async def _job(client: httpx.AsyncClient) -> str:
    return str((await client.post("/v1/reasoning/jobs", json=_JOB)).json()["id"])


async def _delivery(client: httpx.AsyncClient) -> str:
    body = _JOB | {"webhook_url": "https://example.com/hook"}
    job = (await client.post("/v1/reasoning/jobs", json=body)).json()["id"]
    await client.post(f"/v1/reasoning/jobs/{job}/cancel")
    (delivery,) = (await client.get(f"/v1/reasoning/jobs/{job}/deliveries")).json()["data"]
    return str(delivery["id"])


async def _file(client: httpx.AsyncClient) -> str:
    files = {"file": ("lines.jsonl", json.dumps(_LINE).encode())}
    response = await client.post("/v1/files", data={"purpose": "batch"}, files=files)
    assert response.is_success, response.text
    return str(response.json()["id"])


async def _batch(client: httpx.AsyncClient) -> str:
    body = {"input_file_id": await _file(client), "endpoint": "/v1/responses", "completion_window": "24h"}
    response = await client.post("/v1/batches", json=body)
    assert response.is_success, response.text
    return str(response.json()["id"])


async def _response(client: httpx.AsyncClient) -> str:
    body = {"model": (await _model(client)), "input": "1 + 1", "background": True}
    response = await client.post("/v1/responses", json=body)
    assert response.is_success, response.text
    return str(response.json()["id"])


async def _model(client: httpx.AsyncClient) -> str:
    return str((await client.get("/v1/models")).json()["data"][0]["id"])


async def _tenant(client: httpx.AsyncClient) -> str:
    return str((await client.post("/v1/admin/tenants", json={"name": "made-by-the-matrix"})).json()["id"])


async def _key(client: httpx.AsyncClient) -> str:
    response = await client.post("/v1/admin/keys", json={"label": "matrix", "tenant": "default"})
    assert response.is_success, response.text
    return str(response.json()["id"])


MAKERS: dict[str, Maker] = {
    "tenant": _tenant,
    "key_id": _key,
    "job_id": _job,
    "delivery_id": _delivery,
    "file_id": _file,
    "batch_id": _batch,
    "response_id": _response,
    "model": _model,
    "model_id": _model,
}
SHARED = frozenset({"model", "model_id"})
"""Parameters that name what belongs to all tenants."""


def _example(operation: dict[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return content.get("example")


def _members(operation: dict[str, Any], schemas: dict[str, Any]) -> frozenset[str]:
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[-1]]
    return frozenset(schema.get("properties", {}))


def _with_ids(body: Any, values: dict[str, str]) -> Any:
    """Members that name a thing (`input_file_id`) name this one."""
    if not isinstance(body, dict):
        return body
    chosen = dict(body)
    for member in body:
        for parameter, value in values.items():
            if member == parameter or member.endswith(f"_{parameter}"):
                chosen[member] = value
    return chosen
